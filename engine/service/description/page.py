"""The description as one HTML page: no script, nothing fetched, readable without sight of colour or layout. Pure.

All text is escaped here; the only markup in descriptions is `code` and an empty line between paragraphs.
"""

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from engine.journal.line import Record
from engine.service.description.shape import members, type_of
from engine.service.openapi import operations

__all__ = ["STYLE", "draw"]

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def draw(description: Record) -> str:
    """Return the page."""
    info = description["info"]
    body = (
        '<a class="skip" href="#calls">Skip to the calls</a>',
        f'<div class="sheet">{_contents(description)}<main id="calls">',
        f"<h1>{escape(info['title'])}</h1>",
        f'<p class="soft">Version {escape(info["version"])} · <a href="openapi.json">openapi.json</a></p>',
        _prose(info["description"]),
        _try_it(description["servers"][0]["url"]),
        *_sections(description),
        _webhooks(description),
        _schemas(description),
        "<footer>Drawn from the description that tests hold against the service.</footer></main></div>",
    )
    return _frame(info["title"], "".join(body))


def _frame(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _contents(description: Record) -> str:
    groups = []
    for tag in description["tags"]:
        calls = _tagged(description, tag["name"])
        links = ((call["operationId"], call["summary"]) for _, _, call, _ in calls)
        groups.append(f'<p><a href="#{_anchor(tag["name"])}">{escape(tag["name"])}</a></p>{_links(links)}')
    groups.append(_links((("webhooks", "Webhooks"), ("schemas", "Schemas"))))
    return f'<nav aria-label="Contents">{"".join(groups)}</nav>'


def _links(places: Iterable[tuple[str, str]]) -> str:
    items = (f'<li><a href="#{escape(anchor)}">{_inline(text)}</a></li>' for anchor, text in places)
    return f"<ul>{''.join(items)}</ul>"


def _try_it(server: str) -> str:
    address = "http://127.0.0.1:8300" if server == "/" else server
    lines = f"SERVICE={address}\nKEY=..."
    return f"<h2>Before the examples</h2>{_code(lines, 'Shell variables')}"


def _sections(description: Record) -> Iterator[str]:
    for tag in description["tags"]:
        yield f'<section aria-labelledby="{_anchor(tag["name"])}"><h2 id="{_anchor(tag["name"])}">'
        yield f"{escape(tag['name'])}</h2>{_prose(tag['description'])}"
        for method, path, call, parameters in _tagged(description, tag["name"]):
            yield _call(description, f"{method} {path}", call, parameters)
        yield "</section>"


def _tagged(description: Record, tag: str) -> Iterator[tuple[str, str, Record, list[Record]]]:
    return (each for each in operations(description["paths"]) if tag in each[2]["tags"])


def _call(description: Record, line: str, call: Record, parameters: list[Record]) -> str:
    method, _, path = line.partition(" ")
    name = call["operationId"]
    key = " Needs no key." if call.get("security") == [{}] else ""
    parts = (
        f'<article aria-labelledby="{name}"><h3 id="{name}">{_inline(call["summary"])}</h3>',
        f'<p><span class="method {method}">{method.upper()}</span> <code>{escape(path)}</code></p>',
        _prose(call["description"] + key),
        _parameters(parameters),
        _body(description, call),
        *(_code(sample["source"], f"curl: {call['summary']}") for sample in call["x-codeSamples"]),
        _answers(description, call),
        "</article>",
    )
    return "".join(parts)


def _parameters(parameters: list[Record]) -> str:
    rows = [
        (f"<code>{escape(each['name'])}</code>", escape(type_of(each["schema"])), _inline(each.get("description", "")))
        for each in parameters
    ]
    return _table("Parameters", ("Name", "Value", "Meaning"), rows) if rows else ""


def _body(description: Record, call: Record) -> str:
    shown = []
    for kind, body in call.get("requestBody", {}).get("content", {}).items():
        shape = body["schema"]
        name = shape.get("$ref", "").rpartition("/")[2]
        is_form = name.endswith("Form")
        shown.append(f"<p>Body: <code>{escape(kind)}</code>{'' if is_form or not name else ', ' + _type(shape)}</p>")
        if is_form:
            shown.append(_members(description["components"]["schemas"][name], "Form fields"))
    return "".join(shown)


def _answers(description: Record, call: Record) -> str:
    rows, example = [], ""
    for status, answer in call["responses"].items():
        whole = _resolved(description, answer)
        content = whole.get("content", {})
        shape = content.get("application/json", {}).get("schema")
        what = _type(shape) if shape else ", ".join(content) or "no body"
        rows.append((status, f'{_inline(whole["description"])} <span class="soft">{what}{_told(whole)}</span>'))
        if status == "200" and shape:
            example = _example(content["application/json"]["example"])
    return _table("Answers", ("Status", "Meaning"), rows, "narrow") + example


def _told(answer: Record) -> str:
    """Return the headers of an answer, but for those that every answer has."""
    names = [name for name in answer["headers"] if name not in ("X-Request-ID", "X-Face-Recovery")]
    return "".join(f", <code>{escape(name)}</code>" for name in names)


def _resolved(description: Record, answer: Record) -> Record:
    name = answer.get("$ref", "").rpartition("/")[2]
    return description["components"]["responses"][name] if name else answer


def _example(value: object) -> str:
    text = json.dumps(value, indent=2)
    return f"<details><summary>Example of the answer</summary>{_code(text, 'Example of the answer')}</details>"


def _webhooks(description: Record) -> str:
    calls = [item["post"] for item in description["webhooks"].values()]
    parts = ['<section aria-labelledby="webhooks"><h2 id="webhooks">Webhooks</h2>']
    for call in calls:
        parts += [f"<h3>{_inline(call['summary'])}</h3>", _prose(call["description"]), _body(description, call)]
    return "".join([*parts, "</section>"])


def _schemas(description: Record) -> str:
    parts = ['<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>']
    for name, shape in description["components"]["schemas"].items():
        if name.endswith("Form"):  # told in full where it is sent
            continue
        parts.append(f'<h3 id="schema-{name}">{escape(name)}</h3>')
        parts.append(_members(shape, f"Members of {name}") if "properties" in shape else f"<p>{_type(shape)}</p>")
    return "".join([*parts, "</section>"])


def _members(shape: Record, caption: str) -> str:
    rows = [
        (f"<code>{escape(name)}</code>{' (required)' if is_required else ''}", _type(member), _inline(meaning))
        for name, member, meaning, is_required in members(shape)
    ]
    return _table(caption, ("Name", "Value", "Meaning"), rows)


def _type(shape: Record) -> str:
    return re.sub(r"\[(\w+)\]", r'<a href="#schema-\1">\1</a>', escape(type_of(shape)))


def _table(caption: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], kind: str = "") -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    lines = (
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return (
        f'<table class="{kind}"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _code(text: str, label: str) -> str:
    """Return a block that the keyboard can scroll."""
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.strip().split("\n\n"))


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _anchor(tag: str) -> str:
    return "tag-" + tag.lower().replace(" ", "-")
