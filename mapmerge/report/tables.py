"""HTML tables, with everything that comes from a result escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: text, an optional quieter text under it, and what it is sorted by.

    Args:
        text: what is read first; escaped when written.
        under: a second, quieter text, such as an interval.
        order: the number or text that sorting compares; None leaves the text.
        numeric: whether it is set flush right with figures of one width.
        style: a class of the style sheet, or empty.
        markup: HTML of our own making, such as a picture or a link, written after the text as it is.
    """

    text: str
    under: str = ""
    order: float | str | None = None
    numeric: bool = False
    style: str = ""
    markup: str = ""

    def to_html(self, *, heading: bool = False) -> str:
        """Return the cell as `td`, or as a row heading."""
        classes = " ".join(filter(None, ["num" if self.numeric else "", self.style]))
        attributes = f' class="{escape(classes)}"' if classes else ""
        if self.order is not None:
            attributes += f' data-order="{escape(str(self.order))}"'
        under = f" <small>{escape(self.under)}</small>" if self.under else ""
        tag, scope = ("th", ' scope="row"') if heading else ("td", "")
        return f"<{tag}{scope}{attributes}>{escape(self.text)}{under}{self.markup}</{tag}>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, a quieter text under it, whether it holds numbers, and whether one may sort by it."""

    text: str
    under: str = ""
    numeric: bool = False
    sortable: bool = True


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    row_styles: Sequence[str] = (),
    sortable: bool = False,
    name: str = "",
) -> str:
    """Return a table whose first column heads the rows, inside a box that scrolls when it is too wide.

    Args:
        caption: what the table says, read out by screen readers.
        columns: the headings.
        rows: one sequence of cells a row, as long as `columns`.
        row_styles: a class for each row, or nothing.
        sortable: whether the headings are buttons that the page's script sorts by, but for columns that are not.
        name: id of the table, or empty.

    >>> table("Ages", [Column("who"), Column("age", numeric=True)], [[Cell("<b>"), Cell("3")]])[:64]
    '<div class="scroll" role="region" tabindex="0" aria-label="Ages"'
    """
    heads = "".join(_heading(column, sortable=sortable) for column in columns)
    styles = [*row_styles, *[""] * (len(rows) - len(row_styles))]
    body = "\n".join(_row(row, style) for row, style in zip(rows, styles, strict=True))
    identity = f' id="{escape(name)}"' if name else ""
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table{identity}{kind}><caption class="unseen">{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(row: Sequence[Cell], style: str) -> str:
    opening = f'<tr class="{escape(style)}">' if style else "<tr>"
    return opening + "".join(cell.to_html(heading=place == 0) for place, cell in enumerate(row)) + "</tr>"


def _heading(column: Column, *, sortable: bool) -> str:
    under = f" <small>{escape(column.under)}</small>" if column.under else ""
    words = f"{escape(column.text)}{under}"
    inner = f'<button type="button">{words}</button>' if sortable and column.sortable else words
    numeric = ' class="num"' if column.numeric else ""
    return f'<th scope="col"{numeric}>{inner}</th>'
