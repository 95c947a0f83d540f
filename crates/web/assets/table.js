// Tables that are put in order by a click on their head: <table data-sort>, columns with <th data-by="number|text">. A cell's
// data-value is what it is compared by; without one it is unknown and comes last, whichever way.

/** @param {HTMLTableElement} table */
function enliven(table) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    if (!head.dataset.by) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "dir";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.append(...ordered([...body.rows], column, head.dataset.by === "number", up));
    });
  });
}

/** @param {HTMLTableRowElement[]} rows */
function ordered(rows, column, isNumber, up) {
  const value = (row) => row.cells[column]?.dataset.value ?? "";
  const compare = (a, b) => (isNumber ? Number(a) - Number(b) : a.localeCompare(b));
  return rows.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return up ? compare(x, y) : compare(y, x);
  });
}

document.querySelectorAll("table[data-sort]").forEach(enliven);
