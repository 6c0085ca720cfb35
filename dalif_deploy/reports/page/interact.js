"use strict";
// choices: each button shows the panel of its name and hides the others of its group
for (const group of document.querySelectorAll(".switch")) {
  const panels = document.querySelectorAll(`[data-group="${group.dataset.for}"]`);
  for (const button of group.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", other === button);
      for (const panel of panels) panel.hidden = panel.dataset.panel !== button.dataset.show;
    });
  }
}
// tables sort by the column whose head is pressed; data-value holds the plain number
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const value = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    button.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows];
      // numbers from the largest, words from A; pressed again, the other way
      const first = typeof value(rows[0]) === "number" ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const difference = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return order === "descending" ? -difference : difference;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
// figures under the pointer, or under the finger
const tip = document.getElementById("tip");
document.addEventListener("pointerover", (event) => {
  const marked = event.target.closest("[data-tip]");
  tip.hidden = !marked;
  if (marked) tip.textContent = marked.dataset.tip;
});
document.addEventListener("pointermove", (event) => {
  if (tip.hidden) return;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = Math.max(8, Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 8));
  const below = event.clientY + 18;
  tip.style.left = `${left}px`;
  tip.style.top = `${below + height > window.innerHeight ? event.clientY - height - 10 : below}px`;
});
document.addEventListener("pointerleave", () => { tip.hidden = true; });
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
// paper cannot be pressed: what is folded opens for it, and closes after
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
});
window.addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
