"use strict";
const buttons = document.querySelectorAll("button[data-show]");
const judged = document.querySelectorAll("[data-verdict]");
function show(which) {
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.show === which)));
  judged.forEach((element) => {
    const kinds = element.dataset.verdict.split(" ");
    element.hidden = which !== "all" && !kinds.includes(which);
  });
}
buttons.forEach((button) => button.addEventListener("click", () => show(button.dataset.show)));
function openAll(open) {
  document.querySelectorAll("details").forEach((details) => { details.open = open; });
}
const expand = document.getElementById("expand");
expand.addEventListener("click", () => {
  const open = expand.getAttribute("aria-pressed") !== "true";
  expand.setAttribute("aria-pressed", String(open));
  openAll(open);
});
window.addEventListener("beforeprint", () => openAll(true));
window.addEventListener("hashchange", () => { if (location.hash.startsWith("#statement")) show("all"); });
document.querySelectorAll(".needs-script").forEach((element) => { element.hidden = false; });
