"""Options that several commands share, and how a command is added to the parser."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..messages import InputRefused, Listed
from ..progress import Progress
from ..terminal import Result

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

Run = Callable[[argparse.Namespace, Progress], Result]


class _Formatter(argparse.HelpFormatter):
    """Takes the help of an option that sets a setting from the setting's declaration, only once it is asked for."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        name = getattr(action, SETTING, None)
        return _declared_help(name) if name else super()._get_help_string(action)


SETTING = "setting"


def _declared_help(name: str) -> str:
    """What a setting says of itself."""
    from ..outcome.settings import SETTINGS

    setting = next(setting for setting in SETTINGS if setting.name == name)
    return (f"{setting.help} ({setting.unit})" if setting.unit else setting.help).replace("%", "%%")


def add_setting(parser: argparse.ArgumentParser, flag: str, name: str, **how: Any) -> None:
    """An option that sets a declared setting. Declarations are not loaded before somebody asks for help."""
    setattr(parser.add_argument(flag, help=name, **how), SETTING, name)


def add_command(commands: "Commands", name: str, run: Run, text: str) -> argparse.ArgumentParser:
    """A sub-parser whose ``run`` does the work; text: one line for the list of commands, beginning in lower case."""
    parser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", formatter_class=_Formatter
    )
    parser.set_defaults(run=run, json=False)
    return parser


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write")


def add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        choices=("image-derived", "blood", "given"),
        help="what the input function of a PET-BIDS dataset comes from: blood pool, blood samples, or a ready curve",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace our own results; files of others stay")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="machine-readable results on stdout")


def add_output(parser: argparse.ArgumentParser) -> None:
    """What most commands end with: ``--out``, ``--force`` and ``--json``."""
    add_out(parser)
    add_force(parser)
    add_json(parser)


def add_test_retest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--test-retest", nargs=2, metavar=("SES_A", "SES_B"), help="two sessions with nothing between them"
    )


def finite(text: str) -> float | None:
    """A number that a person would call one, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def add_set(parser: argparse.ArgumentParser, which: str) -> None:
    """``--set KEY=VALUE`` for settings that have no option of their own."""
    pair = key_and_value("parent_fraction_model=hill")
    parser.add_argument("--set", type=pair, action="append", default=[], metavar="KEY=VALUE", help=which)


def key_and_value(example: str) -> Callable[[str], tuple[str, str]]:
    def pair(text: str) -> tuple[str, str]:
        key, _, value = (part.strip() for part in text.partition("="))
        if not key or not value:
            raise argparse.ArgumentTypeError(f"say KEY=VALUE, such as {example}")
        return key, value

    return pair


def settings_of(given: Sequence[tuple[str, str]], *kinds: type, free: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings by name, from KEY=VALUE: those of ``kinds``, and the keys ``free`` of any.

    Raises InputRefused ("settings-key", "settings-value").
    """
    from ..outcome.settings import SETTINGS
    from ..settings import declared, typed

    known = {setting.key: setting for kind in kinds for setting in declared(kind)}
    known |= {setting.key: setting for setting in SETTINGS if setting.key in free}
    settings = {}
    for key, text in given:
        if key not in known:
            raise InputRefused(
                "settings-key", "--set knows no '{key}'; known are {known}", key=key, known=Listed(sorted(known))
            )
        try:
            settings[known[key].name] = typed(known[key].kind, text)
        except ValueError as error:
            raise InputRefused(
                "settings-value", "--set {key} must be {wanted}", key=key, wanted=known[key].kind.wanted
            ) from error
    return settings


def above_zero(what: str, most: float = math.inf) -> Callable[[str], float]:
    """what: the quantity and its unit, as a refusal names them; most: its largest value."""

    def number(text: str) -> float:
        value = finite(text)
        if value is None or not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"say {what}")
        return value

    return number


minutes = above_zero("a number of minutes above 0")
