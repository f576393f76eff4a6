// Tables whose headings sort.
function mountSorting(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      sortRows(table.tBodies[0], column, direction === "ascending" ? 1 : -1);
    });
  });
}

// Numbers by value, words by letters; rows that have nothing there stay at the end.
function sortRows(body, column, sign) {
  const valueOf = (row) => row.cells[column].dataset.order ?? row.cells[column].textContent;
  const compare = (a, b) => {
    const [first, second] = [valueOf(a), valueOf(b)];
    if (first === "" || second === "") return (first === "") - (second === "");
    const [x, y] = [Number(first), Number(second)];
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? first.localeCompare(second, undefined, { numeric: true }) : x - y);
  };
  body.append(...[...body.rows].sort(compare));
}
