// Beneath each search result, the words around what was searched for. Sphinx would fetch the pages for that, which
// browsers refuse where the site is opened from a folder; PAGE_TEXTS holds the pages' words instead.
"use strict";
(() => {
  const AROUND = 120;
  const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);

  function excerpt(text) {
    const low = text.toLowerCase();
    const at = Math.max(0, ...words.map((word) => low.indexOf(word)).filter((place) => place >= 0).slice(0, 1));
    const from = Math.max(0, at - AROUND);
    const cut = text.slice(from, at + 2 * AROUND);
    return `${from ? "…" : ""}${cut}${from + cut.length < text.length ? "…" : ""}`;
  }

  function fill(paragraph, text) {
    const parts = words.length
      ? text.split(new RegExp(`(${words.map((word) => word.replace(/[.*+\-?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi"))
      : [text];
    for (const part of parts) {
      const found = words.includes(part.toLowerCase());
      const node = found ? document.createElement("mark") : document.createTextNode(part);
      if (found) node.textContent = part;
      paragraph.append(node);
    }
  }

  function complete(item) {
    const link = item.querySelector("a");
    if (!link || item.classList.contains("kind-object") || item.querySelector(".search-excerpt")) return;
    const page = decodeURI(link.getAttribute("href")).split("#")[0].replace(/\.html$/, "");
    const text = (window.PAGE_TEXTS || {})[page];
    if (!text) return;
    const paragraph = document.createElement("p");
    paragraph.className = "search-excerpt";
    fill(paragraph, excerpt(text));
    item.append(paragraph);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const results = document.getElementById("search-results");
    if (!results) return;
    new MutationObserver(() => results.querySelectorAll("li").forEach(complete)).observe(results, {
      childList: true,
      subtree: true,
    });
  });
})();
