"""A directory that a run writes its results into, and may have to share: only what this suite wrote is ever removed.

What it wrote is listed in a file beside it, by name, and before it is written: a run that is killed leaves nothing
that the next one does not know.
"""

import re
from pathlib import Path

MANIFEST = ".written-by-this-suite"
# Others put these beside the results on purpose: Allure 2's trends, what a CI system tells of itself, notes.
WELCOME = re.compile(r"\..*|history|README\.md|(executor|testrun|performance)\.json|environment\.xml")


class UnusableDirectory(Exception):
    """The directory cannot be written, or others keep something in it; one line with what to do."""


def written(directory: Path) -> set[str]:
    """The names of what this suite wrote there."""
    try:
        return set((directory / MANIFEST).read_text(encoding="utf-8").split("\n")) - {""}
    except FileNotFoundError:
        return set()


def note(directory: Path, name: str) -> None:
    """This suite is about to write a file of this name."""
    with (directory / MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write(f"{name}\n")


def write(directory: Path, name: str, text: str | bytes) -> Path:
    """Write a file of this suite's, whole or not at all; half a character (a lone surrogate) is written as its escape."""
    note(directory, name)
    path, unfinished = directory / name, directory / f".{name}.unfinished"
    unfinished.write_bytes(text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text)
    unfinished.replace(path)
    return path


def empty(directory: Path, option: str) -> list[str]:
    """Make the directory, and remove what this suite wrote there; returns the names of what others keep there.

    Raises UnusableDirectory, which names the option to choose another one with, where it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in written(directory):
            if Path(name).name == name:
                (directory / name).unlink(missing_ok=True)
                (directory / f".{name}.unfinished").unlink(missing_ok=True)
        (directory / MANIFEST).write_text("", encoding="utf-8")
        return sorted(entry.name for entry in directory.iterdir() if not WELCOME.fullmatch(entry.name))
    except OSError as error:
        why = "it is a file" if directory.is_file() else error.strerror or error
        raise UnusableDirectory(
            f"{directory} cannot be written ({why}): choose another directory with {option}"
        ) from None


def empty_of_own(directory: Path, option: str) -> None:
    """As `empty`, for a directory that is nobody else's; raises UnusableDirectory where others keep something there."""
    if others := empty(directory, option):
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise UnusableDirectory(
            f"{directory} holds what this suite did not write ({shown}), and it is left alone: "
            f"choose another directory with {option}, or move that away"
        )
