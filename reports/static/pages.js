// Conveniences of the pages. All pages work without this script.
"use strict";

const printButton = document.querySelector("[data-print]");
if (printButton) {
  printButton.hidden = false;
  printButton.addEventListener("click", () => window.print());
}

// A folded list of contents closes when one of its links is followed.
document.querySelectorAll("details[data-closes]").forEach((details) => {
  details.addEventListener("click", (event) => {
    if (event.target.closest("a")) details.open = false;
  });
});

// Filters apply while a person types: the page is requested with the new filters, and its content replaces the old one.
const filters = document.querySelector("form[data-live]");
if (filters) {
  let timer, request;
  const update = async () => {
    request?.abort();
    request = new AbortController();
    const parameters = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
    const link = parameters.size ? `${filters.getAttribute("action")}?${parameters}` : filters.getAttribute("action");
    try {
      const response = await fetch(link, { signal: request.signal });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      // The form is kept, so that the cursor stays where a person types. Everything around it is replaced.
      const content = document.getElementById("content");
      const newContent = page.getElementById("content");
      const newFilters = newContent.querySelector("form[data-live]");
      const before = [...newContent.childNodes].slice(0, [...newContent.childNodes].indexOf(newFilters));
      const after = [...newContent.childNodes].slice(before.length + 1);
      [...content.childNodes].filter((node) => node !== filters).forEach((node) => node.remove());
      content.prepend(...before);
      content.append(...after);
      filters.querySelector(".actions").replaceWith(newFilters.querySelector(".actions"));
      history.replaceState(null, "", link);
      document.dispatchEvent(new Event("content-replaced"));
    } catch (error) {
      if (error.name !== "AbortError") filters.submit();
    }
  };
  filters.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, 250);
  });
}

// Campaigns are ticked for a comparison. The ticks are counted, and kept while the table is filtered.
const FEWEST_COMPARED = 2, MOST_COMPARED = 5;
const ticked = new Set();
const countTicks = () => {
  const form = document.getElementById("compare");
  if (!form) return;
  const boxes = [...document.querySelectorAll('[form="compare"][type="checkbox"]')];
  for (const box of boxes) box.checked = ticked.has(box.value);
  // Campaigns that are not among the rows go with the form.
  const shown = new Set(boxes.map((box) => box.value));
  form.querySelectorAll('[type="hidden"]').forEach((field) => field.remove());
  for (const campaign of ticked) {
    if (shown.has(campaign)) continue;
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "campaign", value: campaign });
    form.append(field);
  }
  const tooMany = ticked.size > MOST_COMPARED ? `: at most ${MOST_COMPARED}` : "";
  form.querySelector("[role=status]").textContent = ticked.size ? `${ticked.size} ticked${tooMany}` : "Tick two to five";
  form.querySelector("button").disabled = ticked.size < FEWEST_COMPARED || ticked.size > MOST_COMPARED;
};
const startTicks = () => {
  // A browser keeps ticks when a person comes back to the page.
  document.querySelectorAll('[form="compare"]:checked').forEach((box) => ticked.add(box.value));
  countTicks();
};
document.addEventListener("change", (event) => {
  if (!event.target.matches('[form="compare"][type="checkbox"]')) return;
  ticked[event.target.checked ? "add" : "delete"](event.target.value);
  countTicks();
});
document.addEventListener("content-replaced", countTicks);
addEventListener("pageshow", startTicks);

// An open meaning closes with Escape.
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector(".meaning[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// An open group of the menu closes when a person clicks elsewhere or presses Escape.
const closeMenu = (except) => {
  for (const group of document.querySelectorAll(".bar nav details[open]")) if (group !== except) group.open = false;
};
document.addEventListener("click", (event) => closeMenu(event.target.closest?.(".bar nav details")));
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector(".bar nav details[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
