"""Reading ``node.toml``: every fault is a sentence of its own, and all of them are told at once."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from ..errors import InputError, shown
from ..language.catalogue import languages
from ..settings import DEVICES
from ..tasks import task_names
from .config import ChooseTable, Config, DiskTable, NodeTable, PollTable, ReceiveTable, SegmentTable, SendTable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")
_TABLES = {
    "node": NodeTable,
    "receive": ReceiveTable,
    "poll": PollTable,
    "choose": ChooseTable,
    "segment": SegmentTable,
    "send": SendTable,
    "disk": DiskTable,
}
_OPTIONAL = ("receive", "poll")
_WORDS: dict[Any, str] = {
    str: "a text",
    Path: "a text, the path of a file or folder",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
_LONGEST_AE_TITLE = 16
_MOST_BYTES = 1 << 20


def read_config(path: Path) -> Config:
    """The configuration; relative paths in it start at its own folder.

    Raises:
        InputError: it cannot be read, or says something that is not so; one sentence per fault.
    """
    content, faults = _parsed(path), list[str]()
    faults += [_unknown(f"[{name}]", name, _TABLES, "table") for name in content if name not in _TABLES]
    tables: dict[str, Any] = {name: _table(name, kind, content.get(name), path.parent, faults) for name, kind in _TABLES.items()}
    if "receive" not in content and "poll" not in content:
        faults.append("Neither [receive] nor [poll] says where images come from: add one of them.")
    if not faults:
        config = Config(**tables)
        faults += _contradictions(config)
    if faults:
        head = f"{shown(path)} cannot be used:" if len(faults) > 1 else f"{shown(path)}:"
        raise InputError("\n".join([head, *faults]) if len(faults) > 1 else f"{head} {faults[0]}")
    return config


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{shown(path)} is too large for a configuration; name the node's TOML file with --config.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({error.strerror}); name the node's TOML file with --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{shown(path)} is not valid TOML ({error}); correct that place.") from error


def _table(name: str, kind: type[_T], content: Any, folder: Path, faults: list[str]) -> _T | None:
    if content is None and name in _OPTIONAL:
        return None
    if not isinstance(content, Mapping | None):
        faults.append(f"{name} must be a table, written as [{name}].")
        return None
    content = content or {}
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    types_of = get_type_hints(kind)
    faults += [_unknown(f"{name}.{key}", key, known, f"setting of [{name}]") for key in content if key not in known]
    values: dict[str, Any] = {}
    for key, entry in known.items():
        if key not in content:
            if entry.default is MISSING:
                faults.append(f"{name}.{key} is missing: it must be {_in_words(types_of[key])}.")
            continue
        try:
            values[key] = _checked(content[key], types_of[key], entry, folder)
        except ValueError as error:
            faults.append(f"{name}.{key} {error}.")
    complete = all(key in values or entry.default is not MISSING for key, entry in known.items())
    return kind(**values) if complete else None


def _unknown(what: str, word: str, known: Mapping[str, Any], kind: str) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"{what} is no {kind}; {f'did you mean {near[0]}?' if near else 'it may be one of ' + ', '.join(known) + '.'}"


def _in_words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list, each entry " + _WORDS[get_args(kind)[0]]
    return _WORDS[_plain(kind)]


def _plain(kind: Any) -> Any:
    """The type without "or nothing"."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _checked(value: Any, kind: Any, entry: Field[Any], folder: Path) -> Any:
    """The value as its field takes it.

    Raises:
        ValueError: it is of another kind or out of bounds; says what is expected.
    """
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"must be {_in_words(kind)}")
        return tuple(_checked(one, get_args(kind)[0], entry, folder) for one in value)
    kind = _plain(kind)
    wanted: Any = (int, float) if kind is float else str if kind is Path else kind
    # Booleans are whole numbers to Python.
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"must be {_in_words(kind)}")
    if kind is Path:
        if not value or "\0" in value:
            raise ValueError("must be a path")
        return folder / Path(value).expanduser()
    least, most = entry.metadata.get("least"), entry.metadata.get("most")
    if least is not None and not least <= value <= most:
        raise ValueError(f"must be from {least:g} to {most:g}")
    return float(value) if kind is float else value


def _contradictions(config: Config) -> list[str]:
    """What single settings cannot show."""
    send, receive, choose = config.send, config.receive, config.choose
    faults = [
        f"choose.{key} must be two numbers, the least and the most."
        for key, pair in (("slice_thickness_mm", choose.slice_thickness_mm), ("slices", choose.slices))
        if len(pair) != 2 or pair[0] > pair[1]
    ]
    if bool(send.url) == bool(send.ae_title or send.host):
        faults.append("[send] must have either url (STOW-RS) or ae_title, host and port (C-STORE).")
    elif not send.url and not (send.ae_title and send.host):
        faults.append("[send] needs ae_title and host for C-STORE.")
    titles: dict[str, tuple[str, ...]] = {
        "node.ae_title": (config.node.ae_title,),
        "send.ae_title": (send.ae_title,) if send.ae_title else (),
    }
    titles["receive.allowed"] = receive.allowed if receive else ()
    faults += [f"{key}: {_AE_RULE}" for key, values in titles.items() if not all(map(_is_ae_title, values))]
    urls = {"send.url": send.url, "poll.url": config.poll.url if config.poll else ""}
    faults += [f"{key} must begin with http:// or https:// and hold no password." for key, url in urls.items() if not _is_url(url)]
    if receive and not receive.allowed:
        faults.append("receive.allowed must name the AE titles that may send; nobody may otherwise.")
    if receive and not receive.certificate and receive.authorities:
        faults.append("receive.authorities needs receive.certificate and receive.key: only a TLS connection shows certificates.")
    if config.segment.device not in DEVICES:
        faults.append(f"segment.device must be one of {', '.join(DEVICES)}.")
    if config.segment.task not in ("", *task_names()):
        faults.append(f"segment.task must be one of {', '.join(task_names())}, or empty for that of the bundle.")
    if config.segment.report not in ("", *languages()):
        faults.append(f"segment.report must be one of {', '.join(languages())}, or empty for no report.")
    for name, table in (("receive", receive), ("poll", config.poll), ("send", send)):
        if table and bool(table.certificate) != bool(table.key):
            faults.append(f"{name}.certificate and {name}.key belong together: give both or none.")
    if not send.url and not send.tls and (send.certificate or send.authorities):
        faults.append("send.certificate and send.authorities have no use without send.tls = true.")
    for key, url in urls.items():
        table = config.poll if key == "poll.url" else send
        if table and url.startswith("http://") and (table.certificate or table.authorities):
            faults.append(f"{key} must begin with https:// where certificates are named: http:// is not encrypted.")
    return faults + _missing_files(config)


def _missing_files(config: Config) -> list[str]:
    keys = ("certificate", "key", "authorities", "credentials")
    named = [
        (f"{name}.{key}", getattr(table, key, None))
        for name, table in (("receive", config.receive), ("poll", config.poll), ("send", config.send))
        for key in keys
    ]
    return [f"{key} names a file that is not there or cannot be read." for key, path in named if path and not _is_readable(path)]


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


_AE_RULE = f"an AE title has 1 to {_LONGEST_AE_TITLE} ASCII signs, no backslash, and no blank at either end."


def _is_ae_title(text: str) -> bool:
    return (
        0 < len(text) <= _LONGEST_AE_TITLE and text.isascii() and text.isprintable() and "\\" not in text and text == text.strip()
    )


def _is_url(url: str) -> bool:
    if not url:
        return True
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
