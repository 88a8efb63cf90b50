"""What is written is true: links lead somewhere, options exist, examples print what they show."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from headway.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def leaves(group, before=""):
    """Every command by its whole name: {"optimize": .., "train scheduler": ..}."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= leaves(command, f"{before}{name} ")
        else:
            found[before + name] = command
    return found


COMMANDS = leaves(typer.main.get_command(app))
UNIT = r"(?:%|[mun]?s|minutes?|hours?|[KMG]i?B|bytes|times|(?:rows|jobs|tasks|requests)/s)"
FIGURE = re.compile(rf"\d[\d,.]*(?:(?: to | / )\d[\d,.]*)?\s?{UNIT}(?![\w/])")


def plain(text: str) -> str:
    """Markdown without its blocks and spans of code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchor(title: str) -> str:
    """The anchor that a heading gets."""
    kept = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
    return re.sub(r"[\s]+", "-", kept)


def sections(path: Path) -> dict[str, str]:
    """Anchor -> the text below that heading, up to the next one."""
    parts = re.split(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    return {anchor(parts[i]): parts[i + 1] for i in range(1, len(parts), 2)}


def passages(text: str) -> list[str]:
    """Paragraphs and rows of tables: what must carry its own link."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        found += block.split("\n") if block.lstrip().startswith("|") else [block]
    return found


def sentences(passage: str) -> list[str]:
    """A passage cut behind the stops of its sentences."""
    return re.split(r"(?<=[.:;])\s+(?=[A-Z])", passage)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", plain(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, place = target.partition("#")
        file = page if not name else (page.parent / name)
        if not file.exists() or (place and place not in sections(file)):
            broken.append(target)
    assert broken == []


def test_every_figure_of_the_readme_stands_in_the_results_it_links_to():
    results, wrong = sections(ROOT / "benchmarks/RESULTS.md"), []
    for passage in passages(plain((ROOT / "README.md").read_text())):
        for sentence in sentences(passage):
            text = re.sub(r"\]\([^)]*\)", "]", sentence)
            linked = re.findall(r"benchmarks/RESULTS\.md#([\w-]+)\)", sentence)
            shown = " ".join(results[name] for name in linked).replace("*", "")
            for figure in FIGURE.findall(text):
                numbers = re.findall(r"\d[\d,.]*\d|\d", figure)
                if not linked or any(not stands(number, shown) for number in numbers):
                    wrong.append(f"{figure!r} in {sentence.strip()[:80]!r}")
    assert wrong == []


def stands(number: str, text: str) -> bool:
    """Is a number in a text, not as a part of another one."""
    return re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", text) is not None


def test_every_command_has_its_section_with_all_its_options():
    described, wrong = sections(ROOT / "docs/command-line.md"), []
    for name, command in COMMANDS.items():
        text = described.get(f"headway-{name.replace(' ', '-')}", "")
        if not text:
            wrong.append(f"headway {name} has no section")
        options = {o for p in command.params for o in p.opts if o.startswith("--")} - {"--help"}
        named = set(re.findall(r"--[a-z][a-z-]*", text))
        wrong += [f"headway {name} {o} is not described" for o in options - named]
        wrong += [f"headway {name} {o} does not exist" for o in named - options]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_shows_exists(page):
    wrong = []
    for line in code_lines(page.read_text()):
        for name, rest in re.findall(r"\bheadway ([a-z]+)\b([^#`]*)", line):
            name = next((whole for whole in COMMANDS if f"{name}{rest}".startswith(whole)), name)
            command = COMMANDS.get(name)
            if command is None:
                wrong.append(f"headway {name}")
                continue
            known = {o for p in command.params for o in p.opts}
            wrong += [f"{name} {o}" for o in re.findall(r"--[a-z-]+", rest) if o not in known]
    assert wrong == []


def code_lines(text: str) -> list[str]:
    """Lines of blocks of code, those that are continued joined, and spans of code."""
    blocks = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
    joined = [re.sub(r"\n +", " ", block) for block in blocks]
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for block in joined for line in block.split("\n")] + spans


@pytest.mark.parametrize("program", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_an_example_prints_what_stands_beside_it(program, tmp_path):
    run = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == program.with_suffix(".out").read_text()
