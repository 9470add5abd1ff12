"""``python -m tools.screenshots``: the pictures in docs/img, each of a run that really took place.

The suite is run with Behave against the embedded KTRDR in four ways (fine, broken, too quick to tell, not ready), the
report of each is written by ``python -m ktrdr_qa.tell.report``, and Chromium takes its picture. Needs Node and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ktrdr_qa.tell import report

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "img"
LINKED = ("features", "honest_behave", "ktrdr_qa", "standin", "targets")
FEATURE = "features/backtest_cancellation.feature"
LARGEST_BYTES = 250_000
WIDE, NARROW = (1280, 900), (390, 844)


@dataclass(frozen=True)
class Scene:
    """One kind of run: how to get it, and the exit status that it must have."""

    name: str
    arguments: tuple[str, ...]
    exit_status: int
    earlier_runs: int = 0
    """Green runs before it on the same target, so that there is a trend to be seen."""


SCENES = (
    Scene("passed", (), 0, earlier_runs=4),
    Scene("product-defect", ("-D", "fault=after-creeps-on"), 1),
    Scene("inconclusive", ("-D", "fault=running-done-before-cancel"), 1),
    Scene("platform-not-ready", ("-D", "fault=preflight-no-worker"), 1),
)


def behave(place: Path, arguments: Sequence[str]) -> int:
    """Run the suite in a directory of its own; returns Behave's exit status."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
    command = [str(Path(sys.executable).with_name("behave")), *arguments, FEATURE]
    return subprocess.run(command, cwd=place, env=environment, stdout=subprocess.DEVNULL, check=False).returncode


def shoot(scene: Scene, images: Path) -> list[Path]:
    """Run a scene and take its pictures: the first page, the telling scenario, both wide and on a telephone."""
    with tempfile.TemporaryDirectory(prefix="scene-") as name:
        place = Path(name)
        for linked in LINKED:
            (place / linked).symlink_to(ROOT / linked)
        shutil.copy(ROOT / "pyproject.toml", place)
        for _ in range(scene.earlier_runs):
            behave(place, ())
        status = behave(place, scene.arguments)
        if status != scene.exit_status:
            raise SystemExit(f"{scene.name}: behave ended with {status}, not {scene.exit_status}")
        page = place / "reports" / "report.html"
        report.write_report(place / "reports" / "allure-results", page, place / "reports" / "history")
        made = []
        for suffix, (width, height), test in (
            ("", WIDE, ""),
            ("-scenario", WIDE, "worst"),
            ("-phone", NARROW, ""),
            ("-scenario-phone", NARROW, "worst"),
        ):
            image = images / f"{scene.name}{suffix}.png"
            picture(page, image, width, height, test)
            if image.stat().st_size > LARGEST_BYTES:
                raise SystemExit(f"{image} has {image.stat().st_size} bytes, more than {LARGEST_BYTES}")
            made.append(image)
        return made


def picture(page: Path, image: Path, width: int, height: int, test: str) -> None:
    """One picture of the report; ``test`` as `ktrdr_qa/tell/generator/screenshot.mjs` has it."""
    node, _ = report.find_node()
    command = [*node, str(ROOT / "ktrdr_qa" / "tell" / "generator" / "screenshot.mjs"), str(page), str(image)]
    command += ["--width", str(width), "--height", str(height), "--test", test]
    subprocess.run(command, check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description="Take the pictures in docs/img.")
    parser.add_argument("scenes", nargs="*", metavar="scene", help=", ".join(scene.name for scene in SCENES))
    parser.add_argument("--images", type=Path, default=IMAGES)
    options = parser.parse_args(arguments)
    if unknown := set(options.scenes) - {scene.name for scene in SCENES}:
        parser.error(f"no scene {', '.join(sorted(unknown))}; there are: {', '.join(s.name for s in SCENES)}")
    _, npm = report.find_node()
    report.install_generator(npm, with_browser_checks=True)
    options.images.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        if not options.scenes or scene.name in options.scenes:
            for image in shoot(scene, options.images):
                print(f"{image} ({image.stat().st_size // 1024} KB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
