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
