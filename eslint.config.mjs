// Rules for the views' browser code. `make lint` runs them.
import { readdirSync, readFileSync } from "node:fs";
import js from "@eslint/js";
import globals from "globals";

// The modules are joined as text (mer_kit/views/js/__init__.py): the shared ones are put before every view, and a view's
// further files before its own module. Their names can therefore be used without an import.
const folder = new URL("mer_kit/views/js/", import.meta.url);
const names = readdirSync(folder).filter((file) => file.endsWith(".mjs")).map((file) => file.slice(0, -4));
const SHARED = ["common", "sound", "axes"];
const isPart = (name, view) => name.startsWith(`${view}_`);
const views = names.filter((name) => !SHARED.includes(name) && !names.some((view) => isPart(name, view)));

/** Return the names that a module declares at its top level. */
function declared(name) {
  const text = readFileSync(new URL(`${name}.mjs`, folder), "utf8");
  const lines = text.match(/^(?:async function|function|const|let|class) .*/gm) ?? [];
  return lines.flatMap((line) => {
    if (!/^(const|let)/.test(line)) return [line.match(/^(?:async )?\w+ (\w+)/)[1]];
    return [...line.split("(")[0].matchAll(/(?:^(?:const|let)|,) (\w+) =/g)].map(([, found]) => found);
  });
}

/** Return the globals of a module: what the modules that are joined with it declare. */
function joined(name) {
  const view = views.find((one) => name === one || isPart(name, one));
  const others = [...SHARED, ...names.filter((one) => view && (one === view || isPart(one, view)))];
  const known = others.filter((one) => one !== name).flatMap(declared);
  return Object.fromEntries(known.map((one) => [one, "readonly"]));
}

export default [
  js.configs.recommended,
  {
    files: ["mer_kit/views/js/*.mjs"],
    languageOptions: { sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "eqeqeq": "error",
      "max-lines-per-function": ["error", { max: 50, skipBlankLines: true, skipComments: true }],
      "no-unused-vars": "error",
      "prefer-const": ["error", { destructuring: "all" }],
    },
  },
  ...names.map((name) => ({ files: [`mer_kit/views/js/${name}.mjs`], languageOptions: { globals: joined(name) } })),
  {
    // These have no exports: the text that follows them uses their functions.
    files: names.filter((name) => !views.includes(name)).map((name) => `mer_kit/views/js/${name}.mjs`),
    languageOptions: { sourceType: "script" },
    rules: { "no-unused-vars": ["error", { vars: "local" }] },
  },
];
