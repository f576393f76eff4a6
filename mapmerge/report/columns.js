// Records that are alike come as columns; this makes them rows again.
function recordsOf(blocks) {
  const cell = (column, place) => (Array.isArray(column) ? column[place]
    : Object.fromEntries(Object.entries(column).map(([key, inner]) => [key, cell(inner, place)])));
  const height = (column) => (Array.isArray(column) ? column.length : height(Object.values(column)[0]));
  return blocks.flatMap((block) => Array.from({ length: height(block) }, (_, place) => cell(block, place)));
}
