"""The type of a task, from its words: "debugging", "booking", "analysis".

A rule and no model: a small lexicon of what people write when they want a thing done. It is deliberately plain,
so that its answer can be predicted and explained; an application that knows better names the type itself
(``seasoned.run(..., task_type=...)``) or answers the hook ``classify_task`` before this does.

Each type has *strong* words, mostly verbs of the request, which count three, and *weak* ones, mostly things it
is about, which count one; each word counts once. The highest sum wins if it reaches :data:`ENOUGH`; of equals the
type whose strong word comes first in the text, then the one that stands first here. What the task says it does
not want ("do not refactor ...") is left out.
"""

from __future__ import annotations

import re
from functools import lru_cache

STRONG, WEAK = 3, 1

ENOUGH = 3
"""One strong word, or three weak ones: less is a guess."""

READ = 2_000
"""Characters of the task that are read: a request stands at the beginning, pasted material after it."""

LEXICON: dict[str, tuple[str, str]] = {
    "debugging": (
        "debug* troubleshoot* diagnos* fix|fixes|fixed|fixing crash|crashes|crashed|crashing traceback root_cause*",
        "bug|bugs error|errors exception|exceptions fail|fails|failed|failing|failure broken stack_trace wrong",
    ),
    "testing": (
        "unit_test* write_test|write_tests add_test|add_tests test_coverage test_case* integration_test* pytest",
        "test|tests testing coverage assert* mock* fixture* regression|regressions flaky",
    ),
    "refactoring": (
        "refactor* restructur* clean_up|cleanup simplify|simplifies modulari* deduplicat*",
        "rename|renames duplicat* readab* maintainab* legacy",
    ),
    "code_review": (
        "code_review|review_code review_the_code review_this_code review_pull review_my_code pull_request",
        "review|reviews diff merge_request patch",
    ),
    "deployment": (
        "deploy* roll_out|rollout provision* ci/cd dockeri* kubernetes terraform",
        "pipeline|pipelines container* server|servers production release|releases staging rollback",
    ),
    "code_generation": (
        "implement* write_code write_a_function write_a_script write_a_program code_up scaffold* develop|develops",
        "function|functions class|classes script|scripts api module|modules code python javascript program algorithm",
    ),
    "documentation": (
        "document_the docstring* readme changelog write_docs write_documentation documentation",
        "comment|comments guide|guides tutorial|tutorials manual|manuals",
    ),
    "translation": ("translat*", "english french german spanish chinese japanese language"),
    "summarization": ("summari* tl;dr condense* abridge*", "summary key_points overview shorten*"),
    "research": (
        "research* investigat* look_up find_out literature survey|surveys",
        "sources citation|citations paper|papers compare|compares compared state_of_the_art evidence",
    ),
    "analysis": (
        "analy* evaluat* visuali* plot|plots correlat* forecast*",
        "data dataset|datasets csv trend|trends statistic* chart|charts metric|metrics report|reports insight*",
    ),
    "math": (
        "calculat* comput* equation|equations integral|integrals derivative* probability theorem prove|proves",
        "sum|sums average|averages total|totals percent* number|numbers times twice half each how_many how_much",
    ),
    "planning": (
        "plan|plans planning schedul* priorit* roadmap* estimat* organize|organise|organizing|organising break_down",
        "milestone* deadline* sprint* backlog agenda itinerar* timeline",
    ),
    "booking": (
        "book|books booked booking reserve|reserves reserving make_a_reservation",
        "flight|flights hotel|hotels ticket|tickets table|tables seat|seats trip|trips room|rooms appointment*",
    ),
    "cancellation": ("cancel* call_off unsubscrib* terminate_my", "refund* subscription* reservation* order|orders"),
    "modification": (
        "change_my change_the modify modifies modifying reschedul* upgrade|upgrades upgrading downgrad* update_my",
        "change|changes changing update|updates switch|switches address reservation* instead add|adds",
    ),
    "returns": (
        "return_an return_my return_the return_some return_item* exchange|exchanging send_back refund|refunds",
        "return|returns replace* delivered item|items defective",
    ),
    "purchase": (
        "buy|buying purchase|purchasing add_to_cart checkout",
        "cheapest price|prices cart product|products order",
    ),
    "support": (
        "complain* customer_support customer_service frustrat* not_working compensation help_desk",
        "help|helps issue|issues problem|problems account|accounts assist* delay* password",
    ),
    "extraction": ("extract* scrap* parse|parses parsing", "field|fields table|tables pdf|pdfs html json"),
    "writing": (
        "draft|drafts drafting write_an_email write_a_letter write_an_essay write_a_story compos* rewrit* proofread*",
        "email|emails letter|letters essay|essays article|articles blog story|stories poem|poems",
    ),
}
"""Strong and weak words of each type. ``*`` stands for any ending, ``|`` separates forms of one word, ``_`` is any
run of spaces or hyphens."""

_UNWANTED = re.compile(
    r"\b(?:do(?:es)? not|don['\u2019]t|doesn['\u2019]t|never|without|no need to|instead of|rather than)\b[^.,;:!?\n]*",
    re.IGNORECASE,
)


def classify(task: str) -> str | None:
    """The type of ``task``, or None where its words do not tell."""
    found = ranked(task)
    return found[0] if found else None


def ranked(task: str) -> list[str]:
    """Every type that ``task`` says enough of, the likeliest first."""
    text = _UNWANTED.sub(" ", task[:READ])
    candidates: list[tuple[int, int, int, str]] = []
    for rank, (name, strong, weak) in enumerate(_patterns()):
        places = [found.start() for pattern in strong if (found := pattern.search(text))]
        score = STRONG * len(places) + WEAK * sum(1 for pattern in weak if pattern.search(text))
        if score >= ENOUGH:
            candidates.append((-score, min(places, default=len(text)), rank, name))
    return [name for *_, name in sorted(candidates)]


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]], ...]:
    return tuple(
        (name, tuple(map(_pattern, strong.split())), tuple(map(_pattern, weak.split())))
        for name, (strong, weak) in LEXICON.items()
    )


def _pattern(entry: str) -> re.Pattern[str]:
    """One lexicon entry as a pattern of whole words."""
    forms = "|".join(re.escape(form).replace("_", r"[\s\-]+").replace(r"\*", r"\w*") for form in entry.split("|"))
    return re.compile(rf"(?<!\w)(?:{forms})(?!\w)", re.IGNORECASE)
