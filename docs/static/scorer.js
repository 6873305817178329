// An object whose name is what was searched comes before its members and the pages that speak of it. Pages that explain
// come before the reference of names, the list of changes and the house, unless a name itself is found.
const BEHIND = { changelog: 20, inside: 20, api: 10 };
const behind = document => BEHIND[document] ?? (document.startsWith("reference/") ? 3 : 0);
const searched = (new URLSearchParams(window.location.search).get("q") ?? "").trim().toLowerCase();
const isSearched = title => title.toLowerCase().replace(/^isthmus\./, "") === searched;
var Scorer = {
  score: ([document, title, anchor, description, score]) =>
    description ? score + (isSearched(title) ? 6 : 0) : score - behind(document),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 10,
  term: 5,
  partialTerm: 2,
};
