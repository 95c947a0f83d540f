// The pages that are looked at: one of each template, with much, little and no data. A template that is added gets a row here;
// what the head of the site leads to and no row shows is a complaint of the browser checks.

/** Template, path, and which places show it: `real` is the program as it starts, `much`, `little` and `none` are previews. */
export const pages = [
  ["home", "/", ["real", "much", "none"]],
  ["models", "/models", ["real", "much"]],
  ["models-filtered", "/models?q=mistral&open=yes", ["little"]],
  ["models-nothing", "/models?q=nobody-has-this", ["none"]],
  ["model", "/mistralai/mistral-small-2603", ["real", "much", "little"]],
  ["model-many-offers", "/moonshotai/kimi-k2.6", ["much"]],
  ["model-no-offer", "/sakana/fugu", ["none"]],
  ["offer", "/mistralai/mistral-small-2603/mistral", ["much", "little"]],
  ["author", "/mistralai", ["much", "little"]],
  ["author-small", "/sakana", ["none"]],
  ["providers", "/providers", ["much", "none"]],
  ["provider", "/providers/mistral", ["much", "little"]],
  ["compare-choose", "/compare", ["real"]],
  ["compare", "/compare/mistralai/mistral-small-2603/moonshotai/kimi-k2.6", ["much", "little"]],
  ["calculator", "/calculator", ["much", "little"]],
  ["calculator-wrong", "/calculator?input=many&m=nobody%2Fthis", ["none"]],
  ["charts", "/charts", ["much"]],
  ["benchmarks", "/benchmarks", ["much"]],
  ["benchmark", "/benchmarks/scicode", ["much"]],
  ["rankings", "/rankings", ["much", "none"]],
  ["apps", "/apps", ["much", "none"]],
  ["status", "/status", ["much", "none"]],
  ["sign-in", "/console", ["real"]],
  ["sign-up", "/sign-up", ["real"]],
  ["accept", "/accept?token=mt_example", ["real"]],
  ["reset", "/reset", ["real"]],
  ["not-found", "/nowhere/at-all", ["little"]],
];
