/** Lets the keyboard reach, and thereby scroll, those elements that are wider than their place. */
export function reachOverflowing(selector: string): void {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
      else target.removeAttribute("tabindex");
    }
  });
  for (const element of document.querySelectorAll(selector)) observer.observe(element);
}
