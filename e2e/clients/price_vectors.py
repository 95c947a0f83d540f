"""Writes crates/ledger/src/tests/vectors.jsonl: usages of real price lists and what they cost, worked out here with decimal
numbers and nothing of Tollway's. Each line has its price list's source.

Most lists are the catalog's own claims; what the catalog has no price for (one-hour cache writes, windows of the day,
requests, searches, images, seconds, characters) is below, from the pages named there. Usages are drawn from a fixed seed;
the committed file stays as it is when the catalog moves on, so run this only to make new ones.
"""

import json
import pathlib
import random
import tomllib
from decimal import ROUND_CEILING, Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 200
NANO = Decimal("0.000000001")
MILLION = Decimal(1_000_000)

PER_UNIT = {"requests": "request_usd", "searches": "search_usd", "images": "image_usd", "audio_seconds": "audio_second_usd"}
BUCKETS = [
    "input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input",
    "output", "reasoning", "audio_output", "image_output",
    "requests", "searches", "images", "audio_seconds", "characters",
]
INPUT = BUCKETS[:6]
# Who has no price of its own takes that of the wider one.
WIDER = {
    "cache_write_1h": "cache_write", "cache_write": "input", "cache_read": "input", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}


def key_of(bucket):
    return PER_UNIT.get(bucket) or ("characters_usd_per_million" if bucket == "characters" else f"{bucket}_usd_per_mtok")


def minute(text):
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def effective(sheet, usage, at_minute):
    """The price list that holds for this much input at this minute."""
    prices = dict(sheet["prices"])
    total = sum(usage.get(bucket, 0) for bucket in INPUT)
    for change in sheet.get("overrides", []):
        above = change.get("above_input_tokens")
        if above is not None and total <= above:
            continue
        if "utc_from" in change:
            start, end = minute(change["utc_from"]), minute(change["utc_to"])
            inside = start <= at_minute < end if start <= end else at_minute >= start or at_minute < end
            if not inside:
                continue
        prices.update({k: v for k, v in change.items() if k.endswith(("_usd", "_usd_per_mtok", "_usd_per_million"))})
    return prices


def cost(sheet, usage, at_minute):
    prices = effective(sheet, usage, at_minute)
    units = {}
    for bucket in BUCKETS:
        count = usage.get(bucket, 0)
        if not count:
            continue
        applied = bucket
        while applied is not None and key_of(applied) not in prices:
            applied = WIDER.get(applied)
        if applied is not None:
            units[applied] = units.get(applied, 0) + count
    lines = {}
    for bucket, count in units.items():
        price = Decimal(prices[key_of(bucket)])
        exact = price * count if bucket in PER_UNIT else price * count / MILLION
        lines[bucket] = exact.quantize(NANO, rounding=ROUND_CEILING)
    return lines, sum(lines.values(), Decimal(0))


DEEPSEEK = "https://api-docs.deepseek.com/quick_start/pricing"
CLAUDE = "https://platform.claude.com/docs/en/about-claude/pricing"
SONAR = "https://developer.puter.com/tutorials/perplexity-api-pricing/"
IMAGEN = "https://blog.laozhang.ai/en/posts/cheap-gemini-image-api"
# Endpoint, source, when it was so, prices, changes.
BY_HAND = [
    ("deepseek/deepseek-chat", DEEPSEEK, "2025-09-05",
     {"input_usd_per_mtok": "0.27", "cache_read_usd_per_mtok": "0.07", "output_usd_per_mtok": "1.10"},
     [{"utc_from": "16:30", "utc_to": "00:30", "input_usd_per_mtok": "0.135", "cache_read_usd_per_mtok": "0.035",
       "output_usd_per_mtok": "0.550"}]),
    ("deepseek/deepseek-reasoner", DEEPSEEK, "2025-09-05",
     {"input_usd_per_mtok": "0.55", "cache_read_usd_per_mtok": "0.14", "output_usd_per_mtok": "2.19"},
     [{"utc_from": "16:30", "utc_to": "00:30", "input_usd_per_mtok": "0.135", "cache_read_usd_per_mtok": "0.035",
       "output_usd_per_mtok": "0.550"}]),
    ("anthropic/claude-opus-4.5", CLAUDE, "2026-11-21",
     {"input_usd_per_mtok": "5", "cache_write_usd_per_mtok": "6.25", "cache_write_1h_usd_per_mtok": "10",
      "cache_read_usd_per_mtok": "0.50", "output_usd_per_mtok": "25"}, []),
    ("anthropic/claude-fable-5.1", CLAUDE, "2026-11-21",
     {"input_usd_per_mtok": "10", "cache_write_usd_per_mtok": "12.50", "cache_write_1h_usd_per_mtok": "20",
      "cache_read_usd_per_mtok": "0.25", "output_usd_per_mtok": "50"}, []),
    ("anthropic/claude-opus-4.1", CLAUDE, "2026-11-21",
     {"input_usd_per_mtok": "15", "cache_write_usd_per_mtok": "18.75", "cache_write_1h_usd_per_mtok": "30",
      "cache_read_usd_per_mtok": "1.50", "output_usd_per_mtok": "75"}, []),
    ("perplexity/sonar", SONAR, "2026-06-01",
     {"input_usd_per_mtok": "1", "output_usd_per_mtok": "1", "request_usd": "0.005"}, []),
    ("perplexity/sonar-pro", SONAR, "2026-06-01",
     {"input_usd_per_mtok": "3", "output_usd_per_mtok": "15", "request_usd": "0.014"}, []),
    ("perplexity/sonar-by-search", "https://ai.cloudprice.net/api/v1/models/perplexity-sonar/pricing", "2026-06-23",
     {"input_usd_per_mtok": "1", "output_usd_per_mtok": "1", "search_usd": "0.005"}, []),
    ("openai/gpt-image-1", "https://www.burncloud.com/aiapi-detail/gpt-image-1.html", "2026-11-21",
     {"input_usd_per_mtok": "5.00", "cache_read_usd_per_mtok": "1.25", "image_input_usd_per_mtok": "10.00",
      "image_output_usd_per_mtok": "40.00"}, []),
    ("openai/whisper-1", "https://openrouter.ai/openai/whisper-1/api", "2026-04-27", {"audio_second_usd": "0.0001"}, []),
    ("openai/tts-1", "https://developers.openai.com/api/docs/models/tts-1", "2026-11-21",
     {"characters_usd_per_million": "15.00"}, []),
    ("openai/tts-1-hd", "https://developers.openai.com/api/docs/models/tts-1", "2026-11-21",
     {"characters_usd_per_million": "30.00"}, []),
    ("google/imagen-4-fast", IMAGEN, "2026-02-01", {"image_usd": "0.02"}, []),
    ("google/imagen-4-ultra", IMAGEN, "2026-02-01", {"image_usd": "0.06"}, []),
]

# Of these providers, lists that have something of their own come first.
PROVIDERS = [
    "anthropic", "openai", "google", "google-vertex", "azure", "amazon-bedrock", "xai", "alibaba", "mistral", "moonshotai",
    "novita-ai", "nebius", "perplexity", "minimax", "databricks",
]
PER_PROVIDER = 6


def catalog():
    sources = {}
    for path in (ROOT / "catalog/sources").glob("*.toml"):
        sources[path.stem] = tomllib.loads(path.read_text())["url"]
    for provider in PROVIDERS:
        found = []
        for path in sorted((ROOT / "catalog/providers" / provider / "endpoints").glob("*.toml")):
            endpoint = tomllib.loads(path.read_text())
            price = endpoint.get("price", {})
            plain = {k: v for k, v in price.items() if isinstance(v, str)}
            if len(plain) != len([k for k in price if k != "overrides"]) or "input_usd_per_mtok" not in plain:
                continue
            if any(v == "unknown" for v in plain.values()) or all(Decimal(v) == 0 for v in plain.values()):
                continue
            sheet = {"prices": plain, "overrides": price.get("overrides", [])}
            rare = sum(k.startswith(("reasoning", "audio", "cache_write", "image")) for k in plain) + 3 * len(sheet["overrides"])
            found.append((-rare, path.stem, endpoint, sheet))
        for _, stem, endpoint, sheet in sorted(found, key=lambda row: row[:2])[:PER_PROVIDER]:
            yield f"{provider}/{stem}", sources[endpoint["source"]], endpoint["as_of"], sheet


def usages(sheet, rng):
    """Everyday sizes, sizes at a tier's edge, odd small ones, and very large ones."""
    def priced(bucket):
        return bucket is not None and (key_of(bucket) in sheet["prices"] or priced(WIDER.get(bucket)))

    known = [b for b in BUCKETS if priced(b)]
    tokens = any(key_of(b) in sheet["prices"] for b in BUCKETS[:10])
    picked = [b for b in known if (b in BUCKETS[10:]) == (not tokens) or key_of(b) in sheet["prices"]]
    size = rng.choice([9, 999, 54_321, 2_000_000])
    usage = {b: rng.randint(1, size) for b in picked if rng.random() < 0.7 or b in ("input", "output")}
    for bucket in ("requests", "searches", "images"):
        if bucket in usage:
            usage[bucket] = 1 if bucket == "requests" else rng.randint(1, 12)
    usage["requests"] = 1
    tiers = [c["above_input_tokens"] for c in sheet.get("overrides", []) if "above_input_tokens" in c]
    if tiers and rng.random() < 0.7:
        edge = rng.choice(tiers) + rng.choice([0, 0, 1, 1, 5_000])
        rest = sum(usage.get(b, 0) for b in INPUT if b != "input")
        if rest >= edge:
            for bucket in INPUT:
                usage.pop(bucket, None)
            rest = 0
        usage["input"] = edge - rest
    return usage


def main():
    rng = random.Random(20_261_121)
    lists = [(e, s, a, {"prices": p, "overrides": o}) for e, s, a, p, o in BY_HAND for _ in range(2)] + list(catalog())
    out = []
    while len(out) < COUNT:
        endpoint, source, as_of, sheet = lists[len(out) % len(lists)]
        usage = usages(sheet, rng)
        windows = [minute(c[k]) for c in sheet["overrides"] for k in ("utc_from", "utc_to") if k in c]
        at = rng.choice([w + d for w in windows for d in (-1, 0)]) % 1440 if windows else rng.randrange(1440)
        lines, total = cost(sheet, usage, at)
        row = {
            "endpoint": endpoint, "source": source, "as_of": as_of, "at": f"{at // 60:02}:{at % 60:02}",
            "prices": sheet["prices"], "overrides": sheet["overrides"], "usage": usage,
            "lines": {b: format(a.normalize(), "f") for b, a in lines.items()}, "total": format(total.normalize(), "f"),
        }
        out.append(json.dumps(row, separators=(",", ":")))
    (ROOT / "crates/ledger/src/tests/vectors.jsonl").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
