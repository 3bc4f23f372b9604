"""Learns the matcher's weights from tasks whose true templates are known: ``skills_lib/data/matching.json``.

::

    python tests/bench/learn_matching.py [--data DIR] [--write]

Each task asks an index of all the others (and, for knowing that nothing fits, an index without its whole template).
The weights make the candidates of its own template likelier than the others (a conditional logit with a ridge). What
is printed is measured on templates that were not learned from, and across files: learned on one, tested on another.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.stats import rankdata

from seasoned.skills_lib.calibration import FILE, SEMANTIC, semantic, widened
from seasoned.skills_lib.embedder import Embedder, wordings
from seasoned.skills_lib.index import POOL, TaskIndex
from seasoned.skills_lib.rescoring import FEATURES

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS = (
    ("tasks_webarena", "tasks_webarena"),
    ("tasks_webarena_verified", "tasks_webarena_verified"),
    ("tasks_visualwebarena", "tasks_visualwebarena"),
    ("tasks_webarena", "tasks_webarena_verified"),
)
RIDGE = 100.0
"""Found by cross-validation; between 20 and 400 it hardly matters."""

FOLDS = 5


class Question(NamedTuple):
    """One task asked of an index: its template, whether the index holds it, and the candidates."""

    template: str
    held: bool
    features: np.ndarray
    right: np.ndarray
    domains: np.ndarray


class Task(NamedTuple):
    id: str
    text: str
    template: str
    domain: str


def tasks(data: Path, name: str) -> list[Task]:
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Task(str(row["task_id"]), row["intent"], str(row["template_group"]), "+".join(sorted(row["sites"])))
        for row in rows
    ]


Table = dict[str, np.ndarray]


def embedded(encoder: Embedder, texts: set[str]) -> Table:
    """The vectors of every text."""
    ordered = sorted(texts)
    made = encoder.encode([wording for text in ordered for wording in wordings(text)])
    return {text: made[2 * at : 2 * at + 2].astype(np.float64) for at, text in enumerate(ordered)}


def questions(asked: list[Task], known: list[Task], table: Table | None = None) -> list[Question]:
    """Every task of ``asked`` that has a partner among ``known``, against an index with and without its template."""
    index = TaskIndex()
    for task in known:
        index.add(task.id, task.text)
    of_template: dict[str, list[Task]] = {}
    for task in known:
        of_template.setdefault(task.template, []).append(task)
    by_id = {task.id: task for task in known}
    found = []
    for task in asked:
        partners = of_template.get(task.template, [])
        if not any(partner.id != task.id for partner in partners):
            continue
        for held in (True, False):
            away = [partner for partner in partners if not held or partner.id == task.id]
            for partner in away:
                index.remove(partner.id)
            entries, features = index._observe(task.text, POOL)
            if table and entries:
                vectors = np.stack([table[by_id[str(entry.id)].text] for entry in entries])
                features = np.concatenate(
                    [features, semantic(np.einsum("ewd,wd->ew", vectors, table[task.text]))], axis=1
                )
            right = np.array([by_id[str(entry.id)].template == task.template for entry in entries], float)
            same = np.array([1.0 if by_id[str(entry.id)].domain == task.domain else -1.0 for entry in entries])
            found.append(Question(task.template, held, widened(features), right, same))
            for partner in away:
                index.add(partner.id, partner.text)
    return found


def fold_of(template: str) -> int:
    return int(hashlib.sha256(template.encode()).hexdigest(), 16) % FOLDS


def fit_ranking(asked: list[Question], ridge: float = RIDGE, *, domain: bool = False) -> np.ndarray:
    """Weights of the standardised features, put back to the raw scale, that set right candidates above wrong ones."""
    chosen = [question for question in asked if question.right.any() and not question.right.all()]
    parts = [np.column_stack([q.features, q.domains]) if domain else q.features for q in chosen]
    rows = np.concatenate(parts)
    right = np.concatenate([question.right for question in chosen])
    sizes = np.array([len(question.right) for question in chosen])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    mean, scale = rows.mean(0), rows.std(0)
    scale[scale < 1e-6] = 1e6
    rows = (rows - mean) / scale

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        utility = rows @ weights
        utility -= np.repeat(np.maximum.reduceat(utility, starts), sizes)
        raised = np.exp(utility)
        total, good = np.add.reduceat(raised, starts), np.maximum(np.add.reduceat(raised * right, starts), 1e-300)
        slope = rows.T @ (raised / np.repeat(total, sizes) - raised * right / np.repeat(good, sizes))
        return float((np.log(total) - np.log(good)).sum() + ridge / 2 * weights @ weights), slope + ridge * weights

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return found.x / scale


def fit_logistic(
    rows: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None, ridge: float = 1e-3
) -> np.ndarray:
    """Slopes and intercept of a logistic curve."""
    rows = np.column_stack([rows, np.ones(len(rows))])
    weights = np.ones(len(rows)) if weights is None else weights

    def loss(slopes: np.ndarray) -> tuple[float, np.ndarray]:
        value = rows @ slopes
        off = 1 / (1 + np.exp(-np.clip(value, -40, 40))) - truth
        return (
            float((weights * (np.logaddexp(0, value) - truth * value)).sum() + ridge / 2 * slopes @ slopes),
            rows.T @ (weights * off) + ridge * slopes,
        )

    return minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B").x


def auroc(inside: list[float], outside: list[float]) -> float:
    ranks = rankdata([*inside, *outside])
    return float((ranks[: len(inside)].sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside)))


def learn(asked: list[Question], ridge: float = RIDGE) -> dict[str, Any]:
    slopes = fit_ranking(asked, ridge)
    utilities = [question.features @ slopes for question in asked]
    centre = float(np.median([u.max() for u in utilities if len(u)]))
    pairs, truth = [], []
    proofs, fits = [], []
    for question, utility in zip(asked, utilities, strict=True):
        if not len(utility):
            continue
        best = np.argsort(-utility)[:5]  # what a search shows
        pairs.extend(utility[best] - centre)
        truth.extend(question.right[best])
        proofs.append(utility.max() - centre)
        fits.append(float(question.held))
    match = fit_logistic(np.array(pairs)[:, None], np.array(truth))
    fit = fit_logistic(np.array(proofs)[:, None], np.array(fits))
    return {"slopes": slopes.tolist(), "centre": centre, "match": match.tolist(), "fit": fit.tolist()}


def measure(model: dict[str, Any], asked: list[Question]) -> tuple[list[float], list[float], list[float]]:
    """Hits of the first place, and confidences where something fits and where nothing does."""
    hits, inside, outside = [], [], []
    for question in asked:
        utility = question.features @ np.array(model["slopes"]) - model["centre"]
        sure = float(utility.max()) if len(utility) else -99.0
        if question.held:
            hits.append(float(question.right[np.argmax(utility)]) if len(utility) else 0.0)
        (inside if question.held else outside).append(sure)
    return hits, inside, outside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help=f"replace {FILE.name}")
    options = parser.parse_args()
    held = {name: tasks(options.data, name) for name in {name for row in ROWS for name in row}}
    encoder = Embedder().start()
    table: Table | None = None
    if encoder.wait():
        table = embedded(encoder, {task.text for found in held.values() for task in found})
    else:
        print(encoder.failure)
    models = {"lexical": study(held, None)}
    if table is not None:
        print("\nwith all-MiniLM-L6-v2")
        models["semantic"] = study(held, table)
    if options.write:
        kept = {
            "about": "Learned by tests/bench/learn_matching.py from the development halves of WebArena and "
            "WebArena-Verified (Apache-2.0) and VisualWebArena (MIT). Numbers only; no text of theirs is in here.",
            "features": [*FEATURES, *SEMANTIC],
            **(json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}),
            **models,
        }
        kept["features"] = [*FEATURES, *SEMANTIC]
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        print(f"written: {FILE}")


def study(held: dict[str, list[Task]], table: Table | None) -> dict[str, Any]:
    """Print what can be expected of weights learned this way, and learn them from everything."""
    rows = {row: questions(held[row[0]], held[row[1]], table) for row in ROWS}
    print(f"{'learned on':34} {'tested on':52} hit@1  AUROC")
    every = [question for found in rows.values() for question in found]
    models = [learn([q for q in every if fold_of(q.template) != fold]) for fold in range(FOLDS)]
    for row, found in rows.items():
        parts = [measure(models[f], [q for q in found if fold_of(q.template) == f]) for f in range(FOLDS)]
        show("other templates (cross-validated)", row, *([x for part in parts for x in part[i]] for i in range(3)))
    web = [q for row, found in rows.items() if "visual" not in row[0] for q in found]
    for label, learning, testing in (
        ("the WebArena files", web, ROWS[2:3]),
        ("VisualWebArena", rows[ROWS[2]], (ROWS[0], ROWS[3])),
    ):
        model = learn(learning)
        for row in testing:
            show(label, row, *measure(model, rows[row]))
    model = learn(every)
    for row, found in rows.items():
        show("everything (no estimate)", row, *measure(model, found))
    domain = float(fit_ranking(every, domain=True)[-1])
    return {
        **{name: np.round(value, 5).tolist() for name, value in model.items()},
        "domain": round(domain, 4),
        "task_type": round(domain / 2, 4),  # no data says; the ratio of the specification's weights
    }


def show(label: str, row: tuple[str, str], hits: list[float], inside: list[float], outside: list[float]) -> None:
    name = row[0] if row[0] == row[1] else f"{row[0]} -> {row[1]}"
    print(f"{label:34} {name:52} {np.mean(hits):.4f} {auroc(inside, outside):.4f}", flush=True)


if __name__ == "__main__":
    main()
