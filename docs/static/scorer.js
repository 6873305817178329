// Pages that explain come before the list of changes, the house and the long list of names, unless a name itself is found.
const BEHIND = { changelog: 20, inside: 20, api: 10 };
var Scorer = {
  score: ([document, title, anchor, description, score]) => score - (description ? 0 : BEHIND[document] ?? 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 10,
  term: 5,
  partialTerm: 2,
};
