"""Every error that this package raises on purpose.

::

    SeasonedError
    ├── ConfigError              a setting, roster, price table or pattern that cannot be used
    │   └── RosterError          the same for the agents' roster
    ├── StoreError               the database
    │   ├── StoreUnavailable     it cannot be reached, is locked or is full
    │   └── StoreVersionError    it was written by another version of this package
    ├── JournalError             a journal file that cannot be read
    │   └── JournalVersionError  it was written by another version of this package
    ├── RunFormatError           an import file or a record in it is not a recorded run
    ├── SkillFileError           a SKILL.md folder that cannot be read or written
    ├── NotFound                 no such run or agent
    │   └── Ambiguous            a shortened run id that fits several runs
    ├── OutcomeError             an outcome or feedback that makes no sense
    ├── Departed                 an application that is played again does what was not recorded
    ├── UnsupportedFramework     a framework version that no adapter knows
    └── MissingExtra             an optional dependency is not installed

Each message names the thing, says what is wrong with it and how to mend it. Nothing here is ever raised
into the host application from a hook: the guard (:mod:`.guard`) stands between. Users meet these errors
from calls that they make themselves, and on the command line, where they become one line and exit code 1.
"""

from __future__ import annotations


class SeasonedError(Exception):
    """Base of the tree: catch it to catch whatever this package raises on purpose."""


class ConfigError(SeasonedError):
    """A setting, roster, price table or pattern that cannot be used."""


class RosterError(ConfigError):
    """The agents' roster has an unknown key, an impossible level or an ill-typed value."""


class StoreError(SeasonedError):
    """Something is wrong with the database."""


class StoreUnavailable(StoreError):
    """The database cannot be reached now, is locked or is full; what was recorded waits in the journal."""


class StoreVersionError(StoreError):
    """The database was written by another version of this package."""


class JournalError(SeasonedError):
    """A journal file cannot be read."""


class JournalVersionError(JournalError):
    """The journal was written by another version of this package."""


class RunFormatError(SeasonedError):
    """An import file, or one record in it, is not a recorded run."""


class SkillFileError(SeasonedError):
    """A SKILL.md folder breaks the rules of its format, is not safe to read, or cannot be written."""


class NotFound(SeasonedError):
    """No such run or agent."""


class Ambiguous(NotFound):
    """A shortened run id that fits several runs."""


class OutcomeError(SeasonedError):
    """An outcome or feedback that makes no sense."""


class Departed(SeasonedError):
    """An application that is played again did what was not recorded, so there is no answer for it."""


class UnsupportedFramework(SeasonedError):
    """A framework, or a version of one, that no adapter knows; the application goes on unrecorded."""


class MissingExtra(SeasonedError, ImportError):
    """An optional dependency is missing; the message is the exact ``pip install`` to type."""

    def __init__(self, package: str, extra: str) -> None:
        """``package`` is what could not be imported, ``extra`` the extra that brings it."""
        super().__init__(f"{package} is not installed. To mend it: pip install 'seasoned[{extra}]'")
        self.package = package
        self.extra = extra
