// The table of all points: the names of delivered points pick.
function mountTable(table) {
  mountSorting(table);
  // Rows were written in the order of the points.
  [...table.tBodies[0].rows].forEach((row, place) => {
    const point = stage.points[place];
    row.dataset.key = point.key;
    if (!pickable(point)) return;
    const button = html("button", { type: "button", class: "plain", "aria-label": `Pick ${point.name}` }, point.name);
    row.cells[0].replaceChildren(button);
    button.addEventListener("click", () => stage.pick(point, "by hand"));
  });
  stage.listeners.push((point) => {
    for (const row of table.tBodies[0].rows) row.classList.toggle("row-picked", row.dataset.key === point.key);
  });
}
