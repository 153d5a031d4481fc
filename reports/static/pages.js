// What a page does beyond its links and forms; without it, everything works.
"use strict";

const printing = document.querySelector("[data-print]");
if (printing) {
  printing.hidden = false;
  printing.addEventListener("click", () => window.print());
}

// Filters apply as they are typed: the same page is asked for, and its content put in place.
const filters = document.querySelector("form[data-live]");
if (filters) {
  let waiting, asking;
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const words = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
    const link = words.size ? `${filters.getAttribute("action")}?${words}` : filters.getAttribute("action");
    try {
      const answer = await fetch(link, { signal: asking.signal });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // All but the form itself, in which a person is typing: it stays where it is, and so does the cursor.
      const content = document.getElementById("content");
      const fresh = page.getElementById("content");
      const place = fresh.querySelector("form[data-live]");
      const before = [...fresh.childNodes].slice(0, [...fresh.childNodes].indexOf(place));
      const after = [...fresh.childNodes].slice(before.length + 1);
      [...content.childNodes].filter((node) => node !== filters).forEach((node) => node.remove());
      content.prepend(...before);
      content.append(...after);
      filters.querySelector(".actions").replaceWith(place.querySelector(".actions"));
      history.replaceState(null, "", link);
    } catch (error) {
      if (error.name !== "AbortError") filters.submit();
    }
  };
  filters.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 250);
  });
}
