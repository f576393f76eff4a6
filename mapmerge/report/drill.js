// The way from a picked point to its evaluations and items: a link opens what it leads to.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.scrollIntoView();
  target.querySelector("summary").focus({ preventScroll: true });
}

function drillLink(point) {
  const id = `items-${point.key}`;
  if (!document.getElementById(id)) return null;
  const link = html("a", { href: `#${id}` }, `Evaluations and items of ${point.name}`);
  // The hash does not change when the same link is followed again.
  link.addEventListener("click", () => setTimeout(openTarget, 0));
  return html("p", { class: "small" }, link);
}

function mountDrill() {
  addEventListener("hashchange", openTarget);
  openTarget();
}
