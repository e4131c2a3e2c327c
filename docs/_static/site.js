// What the theme leaves out for keyboards and screen readers.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  // Code and tables that scroll sideways can be reached and moved with the keyboard.
  const reachable = () => {
    for (const box of document.querySelectorAll("pre, div.cell_output, div.cell_output .output, div.math, div.table-wrapper")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  reachable();
  window.addEventListener("resize", reachable);
  for (const caption of document.querySelectorAll(".sidebar-tree p.caption[role=heading]")) caption.setAttribute("aria-level", "2");
  // Parameters of a long signature are lines, not a list of definitions.
  for (const list of document.querySelectorAll("dt.sig > dl, dt.sig > dl > dd")) list.setAttribute("role", "none");
});
