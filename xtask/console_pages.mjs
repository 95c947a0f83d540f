// The pages of the console that are looked at: name, path, and in which organizations. `much`, `little` and `none` are what console_data.mjs
// makes; what stands in braces in a path is one of the ids that it writes down there. A page that is added gets a row here.

export const consolePages = [
  ["overview", "/console", ["much", "little", "none"]],
  ["overview-yesterday", "/console?period=yesterday&table=tag", ["much"]],
  ["overview-key", "/console?period=today&key={key_id}&metric=tokens&by=provider", ["much"]],
  ["logs", "/console/logs", ["much", "little", "none"]],
  ["logs-found", "/console/logs?status=failed&min_duration_ms=1", ["much"]],
  ["generation", "/console/logs/{generation}", ["much", "little"]],
  ["generation-failed", "/console/logs/{failed}", ["much"]],
  ["session", "/console/sessions/{session}", ["much"]],
  ["trace", "/console/traces/{trace}", ["much"]],
  ["alerts", "/console/alerts", ["much", "none"]],
  ["audit", "/console/audit", ["much", "none"]],
  ["audit-server", "/console/audit?of=server", ["much"]],
  ["server-people", "/console/server/people", ["much"]],
  ["server-margin", "/console/server/margin", ["much"]],
  ["server-providers", "/console/server/providers", ["much"]],
];
