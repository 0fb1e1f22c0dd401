"use strict";
const table = document.querySelector("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
const asked = [...body.rows], find = document.getElementById("find"), said = document.querySelector("output");
const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
let order = "";
const value = (row, column) => row.cells[column]?.dataset.v ?? row.cells[column]?.textContent ?? "";
const tell = () => {
  const shown = asked.filter((row) => row.offsetParent).length;
  said.textContent = `${shown} of ${asked.length} shown${order}`;
};
heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.onclick = () => {
    const now = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
    heads.forEach((other) => (other.ariaSort = "none"));
    head.ariaSort = now;
    const turn = now === "descending" ? -1 : 1;
    const rows = now === "none" ? asked : asked.toSorted((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      return (x === "") - (y === "") || turn * compare(x, y);
    });
    body.append(...rows);
    order = now === "none" ? "" : `, ${button.textContent}, ${now}`;
    tell();
  };
});
const filter = () => {
  const words = find.value.toLowerCase().split(/\s+/);
  for (const row of asked) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  tell();
};
find.oninput = filter;
document.forms[0].onchange = tell;
document.forms[0].onsubmit = (event) => event.preventDefault();
find.closest("label").hidden = false;
filter();
