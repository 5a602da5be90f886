// Sortable tables, and the cards of disagreements: sorted, filtered, searched.
"use strict";
(() => {
  const text = (cell) => cell.textContent.trim();
  // The first number of a cell as a person reads it: true minus sign, "≈ same" has none.
  const numberIn = (string) => {
    const found = string.replaceAll("\u2212", "-").replaceAll(",", "").match(/-?\d+(\.\d+)?(e-?\d+)?/i);
    return found ? Number(found[0]) : NaN;
  };
  const key = (cell) => {
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    const figure = cell.querySelector(".figure");
    return cell.classList.contains("number") ? numberIn(text(figure || cell)) : text(cell).toLowerCase();
  };
  // What was not measured comes last, whichever way the rest is sorted.
  const compare = (a, b, down) => {
    const absent = [a, b].map((value) => typeof value === "number" && Number.isNaN(value));
    if (absent[0] || absent[1]) return absent[0] - absent[1];
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return down ? -order : order;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
        rows.sort((a, b) => compare(a[0], b[0], down));
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
      });
    });
  }

  const holder = document.getElementById("cards");
  if (!holder) return;
  const cards = [...holder.children];
  const byId = (id) => document.getElementById(id);
  const [variant, fate, sort, find, count] = ["variant", "fate", "sort", "find", "count"].map((name) => byId(`card-${name}`));
  const show = () => {
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      let answers = 0;
      for (const answer of card.querySelectorAll("li")) {
        const fits = (!variant.value || answer.dataset.variant === variant.value) && (!fate.value || answer.dataset.fate === fate.value);
        answer.hidden = !fits;
        answers += fits;
      }
      card.hidden = !answers || (wanted !== "" && !card.textContent.toLowerCase().includes(wanted));
      shown += !card.hidden;
    }
    const sign = sort.value === "margin" ? -1 : 1;
    holder.append(...[...cards].sort((a, b) => sign * (a.dataset[sort.value] - b.dataset[sort.value])));
    count.textContent = `${shown} of ${cards.length} inputs`;
  };
  byId("card-controls").hidden = false;
  [variant, fate, sort].forEach((control) => control.addEventListener("change", show));
  find.addEventListener("input", show);
  show();
})();
