"use strict";
// Filters and sorts the videos of the page, and moves between them by keys.
(() => {
  const byId = (id) => document.getElementById(id);
  const filter = byId("filter"), least = byId("least"), show = byId("show"), sort = byId("sort");
  const list = byId("videos"), keys = byId("keys"), theme = byId("theme");
  const collator = new Intl.Collator(undefined, { numeric: true });
  const videos = [...list.children].map((element) => ({
    element,
    order: Number(element.dataset.order),
    name: element.dataset.name,
    words: element.dataset.words.toLocaleLowerCase(),
    // No score is below any.
    best: element.dataset.best === "" ? -Infinity : Number(element.dataset.best),
    failed: element.classList.contains("failed"),
  }));
  const orders = {
    order: (a, b) => a.order - b.order,
    best: (a, b) => (a.best === b.best ? 0 : b.best - a.best),
    name: (a, b) => collator.compare(a.name, b.name),
    failed: (a, b) => b.failed - a.failed,
  };

  function update() {
    const words = filter.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const low = least ? Number(least.dataset.from) : 0, high = least ? Number(least.dataset.to) : 0;
    const score = least ? low + (high - low) * least.value / least.max : 0;
    // The slider at its left end leaves videos without a score in.
    const from = least && Number(least.value) > 0 ? score : -Infinity;
    let count = 0;
    for (const video of videos) {
      const fits = words.every((word) => video.words.includes(word)) && video.best >= from
        && (show.value === "all" || video.failed === (show.value === "failed"));
      video.element.hidden = !fits;
      count += fits;
    }
    if (least) byId("least-shown").value = score.toFixed(3);
    byId("count").textContent = `${count} of ${videos.length}`;
    byId("none").hidden = count > 0 || videos.length === 0;
  }

  function reorder() {
    videos.sort((a, b) => orders[sort.value](a, b) || a.order - b.order);
    list.append(...videos.map((video) => video.element));
  }

  function clear() {
    filter.value = "";
    show.value = "all";
    if (least) least.value = 0;
    update();
  }

  function move(by) {
    const seen = videos.filter((video) => !video.element.hidden);
    const at = seen.findIndex((video) => video.element.contains(document.activeElement));
    const next = seen[at < 0 && by < 0 ? seen.length - 1 : Math.max(0, at + by)];
    if (!next) return;
    next.element.focus({ preventScroll: true });
    next.element.scrollIntoView({ block: "start" });
  }

  function toggleTheme() {
    const root = document.documentElement;
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    const target = event.target, typing = target.matches("input, select, textarea");
    const onVideo = target.closest(".video") !== null;
    if (target === filter && event.key === "Escape") {
      clear();
    } else if ((target === filter || onVideo) && event.key === "ArrowDown") {
      move(1);
    } else if (onVideo && event.key === "ArrowUp") {
      move(-1);
    } else if (typing) {
      return;
    } else if (event.key === "/") {
      filter.focus();
      filter.select();
    } else if (event.key === "j") {
      move(1);
    } else if (event.key === "k") {
      move(-1);
    } else if (event.key === "t") {
      toggleTheme();
    } else if (event.key === "?") {
      keys.showModal();
    } else {
      return;
    }
    event.preventDefault();
  }

  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  for (const input of [filter, least, show]) input?.addEventListener("input", update);
  sort.addEventListener("input", reorder);
  byId("clear").addEventListener("click", () => { clear(); filter.focus(); });
  theme.addEventListener("click", toggleTheme);
  system.addEventListener("change", nameTheme);
  byId("keys-button").addEventListener("click", () => keys.showModal());
  document.addEventListener("keydown", press);
  for (const button of document.querySelectorAll(".find")) {
    button.addEventListener("click", () => {
      clear();
      filter.value = button.dataset.find;
      update();
      move(1);
    });
    button.hidden = false;
  }
  // Without scripts, these are not shown.
  for (const id of ["tools", "theme", "keys-button"]) byId(id).hidden = false;
  nameTheme();
  // A browser may have kept the values of an earlier visit.
  reorder();
  update();
})();
