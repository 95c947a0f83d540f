// Markdown of models as nodes. Nothing of it is ever parsed as HTML, every character enters as text, links go to http and https
// alone, and pictures become their text, since fetching one would tell its server what was said. The page has its own headings.

/** Lists, quotes and emphasis within each other; what is deeper stays text. */
const DEPTH_MAX = 6;
/** Characters of a paragraph that are looked at for marks; a longer one stays text. */
const INLINE_MAX = 20_000;
/** Controls, marks of direction, fillers, tags and private use: they show nothing, or in another order than they stand. */
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ue000-\uf8ff\ufeff\uffa0\ufff0-\uffff\u{e0000}-\u{10ffff}]/gu;

function make(tag, text = "", kind = "") {
  const one = document.createElement(tag);
  if (text !== "") one.textContent = text;
  if (kind !== "") one.className = kind;
  return one;
}

function markdown(text) {
  const whole = document.createDocumentFragment();
  blocks(text.replaceAll("\r\n", "\n").replaceAll(UNSEEN, "").split("\n"), whole, 0);
  return whole;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}#{1,6}[ \t]+(.*?)[ \t#]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)(.*)$/;
const UNDER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

function blocks(lines, into, depth) {
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (line.trim() === "") at += 1;
    else if (fence) at = code(lines, at, fence[1], into);
    else if (heading) {
      const strong = make("strong");
      inline(heading[1], strong, 0);
      into.appendChild(make("p")).append(strong);
      at += 1;
    } else if (RULE.test(line)) {
      into.append(make("hr"));
      at += 1;
    } else if (depth < DEPTH_MAX && QUOTE.test(line)) at = quote(lines, at, into, depth);
    else if (depth < DEPTH_MAX && ITEM.test(line)) at = list(lines, at, into, depth);
    else if (line.includes("|") && UNDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("|")) at = table(lines, at, into);
    else at = paragraph(lines, at, into, depth);
  }
}

function code(lines, from, mark, into) {
  const isEnd = (line) => line.trim().startsWith(mark) && line.trim().replaceAll(mark[0], "") === "";
  let at = from + 1;
  while (at < lines.length && !isEnd(lines[at])) at += 1;
  const block = make("pre");
  block.tabIndex = 0;
  block.append(make("code", lines.slice(from + 1, at).join("\n")));
  into.append(block);
  return at + 1;
}

function quote(lines, from, into, depth) {
  let at = from;
  const inner = [];
  for (; at < lines.length && QUOTE.test(lines[at]); at += 1) inner.push(QUOTE.exec(lines[at])[1]);
  blocks(inner, into.appendChild(make("blockquote")), depth + 1);
  return at;
}

function list(lines, from, into, depth) {
  const isNumbered = /\d/.test(ITEM.exec(lines[from])[2]);
  const all = into.appendChild(make(isNumbered ? "ol" : "ul"));
  if (isNumbered) all.start = parseInt(ITEM.exec(lines[from])[2], 10);
  let at = from;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || /\d/.test(item[2]) !== isNumbered || RULE.test(lines[at])) break;
    const width = item[1].length + item[2].length + 1;
    const inner = [item[4]];
    for (at += 1; at < lines.length; at += 1) {
      const line = lines[at];
      const isWithin = line.trim() === "" ? (lines[at + 1] ?? "").startsWith("  ") : line.startsWith("  ");
      if (!isWithin) break;
      inner.push(line.slice(Math.min(width, line.search(/\S|$/))));
    }
    const one = make("li");
    // A single line is no paragraph of its own.
    if (inner.length === 1) inline(inner[0], one, 0);
    else blocks(inner, one, depth + 1);
    all.append(one);
    while (at < lines.length && lines[at].trim() === "" && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  return at;
}

function table(lines, from, into) {
  const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|");
  const row = (line, tag) => {
    const one = make("tr");
    for (const cell of cells(line)) inline(cell.trim(), one.appendChild(make(tag)), 0);
    return one;
  };
  const whole = make("table");
  whole.appendChild(make("thead")).append(row(lines[from], "th"));
  const body = whole.appendChild(make("tbody"));
  let at = from + 2;
  for (; at < lines.length && lines[at].includes("|"); at += 1) body.append(row(lines[at], "td"));
  const frame = into.appendChild(make("div", "", "scroll"));
  frame.tabIndex = 0;
  frame.append(whole);
  return at;
}

function paragraph(lines, from, into, depth) {
  const isOther = (line) => line.trim() === "" || FENCE.test(line) || HEADING.test(line) || (depth < DEPTH_MAX && (QUOTE.test(line) || ITEM.test(line)));
  let at = from + 1;
  while (at < lines.length && !isOther(lines[at])) at += 1;
  inline(lines.slice(from, at).join("\n"), into.appendChild(make("p")), 0);
  return at;
}

const LINK = /!?\[([^[\]]{0,1000})\]\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/y;
const ADDRESS = /https?:\/\/[^\s<>"'`\\]+/y;
const MARKS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

function inline(text, into, depth) {
  if (text.length > INLINE_MAX || depth >= DEPTH_MAX) {
    into.append(text);
    return;
  }
  let plain = 0;
  const flush = (to) => to > plain && into.append(text.slice(plain, to));
  for (let at = 0; at < text.length; ) {
    const found = marked(text, at, depth);
    if (found === null) {
      at += 1;
      continue;
    }
    flush(at);
    into.append(...found.nodes);
    at = plain = at + found.length;
  }
  flush(text.length);
}

/** What begins here, if anything. */
function marked(text, at, depth) {
  switch (text[at]) {
    case "\\":
      return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "") ? { nodes: [text[at + 1]], length: 2 } : null;
    case "`":
      return span(text, at);
    case "!":
    case "[":
      return link(text, at);
    case "h":
      return bare(text, at);
    case "\n":
      return text.slice(at - 2, at) === "  " ? { nodes: [make("br")], length: 1 } : null;
    default:
      return emphasis(text, at, depth);
  }
}

function span(text, at) {
  const [mark] = /^`+/.exec(text.slice(at, at + 64)) ?? [""];
  const end = text.indexOf(mark, at + mark.length);
  if (end < 0) return { nodes: [mark], length: mark.length };
  const inner = text.slice(at + mark.length, end);
  return { nodes: [make("code", inner.trim() === "" ? inner : inner.trim())], length: end + mark.length - at };
}

function link(text, at) {
  LINK.lastIndex = at;
  const found = LINK.exec(text);
  if (!found) return null;
  const isPicture = found[0].startsWith("!");
  return { nodes: [anchor(found[2], isPicture ? found[1] || "picture" : found[1] || found[2])], length: found[0].length };
}

function bare(text, at) {
  ADDRESS.lastIndex = at;
  const found = ADDRESS.exec(text);
  if (!found || /\w/.test(text[at - 1] ?? "")) return null;
  const address = found[0].replace(/[.,;:!?)\]}*_~]+$/, "");
  return { nodes: [anchor(address, address)], length: address.length };
}

/** A link where the address is one of the web; else its text. */
function anchor(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return text;
  }
  if ((url.protocol !== "https:" && url.protocol !== "http:") || url.username !== "" || url.password !== "") return text;
  // A text that looks like another address than the one that it leads to says so.
  const isOther = /:\/\/|^[\w-]+(\.[\w-]+)+/.test(text) && !text.includes(url.host);
  const one = make("a", isOther ? `${text} (${url.host})` : text);
  one.href = url.href;
  one.title = url.href;
  one.rel = "noreferrer noopener nofollow";
  one.target = "_blank";
  return one;
}

function emphasis(text, at, depth) {
  for (const [mark, tag] of MARKS) {
    if (!text.startsWith(mark, at) || /\s/.test(text[at + mark.length] ?? " ")) continue;
    if (mark[0] === "_" && /\w/.test(text[at - 1] ?? "")) continue;
    const end = text.indexOf(mark, at + mark.length + 1);
    if (end < 0 || /\s/.test(text[end - 1]) || (mark.length === 1 && text[end + 1] === mark)) continue;
    if (mark[0] === "_" && /\w/.test(text[end + mark.length] ?? "")) continue;
    const one = make(tag);
    inline(text.slice(at + mark.length, end), one, depth + 1);
    return { nodes: [one], length: end + mark.length - at };
  }
  return null;
}
