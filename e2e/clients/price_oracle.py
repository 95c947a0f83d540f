"""Compares our costs with those of genai-prices, a library that nobody here wrote.

Reads JSON lines from standard input, one random usage each, as `cargo xtask eval prices` writes them:

    {"endpoint": "mistral/x", "provider": "mistral", "provider_model_id": "x", "at": "2026-11-20T12:00:00Z",
     "sheet": {"quotes": [["input", {"known": 150000000}], ...], "overrides": [...]},
     "usage": {"input": 10, "cache_read": 5, ...}, "cost": {"lines": [{"kind", "units", "rate", "amount"}], "total": n}}

Rates are nano-dollars per million units and amounts nano-dollars, all integers. A line is equal when the library's
total, which it does not round, is the sum of units x rate over our lines to the last digit, and each of our amounts is
its product rounded up to the nano-dollar. Only an endpoint at the same price on both sides can be compared; prices are
compared as whole sheets, tiers included, never as the rate that one usage happened to get.

Prints one JSON object; exit code 1 when anything differs or fewer than `--at-least N` lines were compared.
"""

import argparse
import json
import sys
from collections import Counter
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, getcontext

from genai_prices import Usage, calc_price
from genai_prices.types import TieredPrices

getcontext().prec = 80

NANOS_PER_USD = 10**9
DIFFERENCES_SHOWN = 20

# Our provider id -> the library's, where they are not the same.
PROVIDERS = {
    "amazon-bedrock": "aws",
    "fireworks-ai": "fireworks",
    "google-vertex": "google",
    "moonshotai": "moonshotai",
    "novita-ai": "novita",
    "togetherai": "together",
    "xai": "x-ai",
}

# Our kind of price -> the library's (price key, usage key).
KINDS = {
    "input": ("input_mtok", None),
    "cache_read": ("cache_read_mtok", "cache_read_tokens"),
    "cache_write": ("cache_write_mtok", "cache_write_tokens"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_1h_tokens"),
    "audio_input": ("input_audio_mtok", "input_audio_tokens"),
    "image_input": ("input_image_mtok", "input_image_tokens"),
    "output": ("output_mtok", None),
    "reasoning": ("output_reasoning_mtok", "output_reasoning_tokens"),
    "audio_output": ("output_audio_mtok", "output_audio_tokens"),
    "image_output": ("output_image_mtok", "output_image_tokens"),
}
INPUTS = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input")
OUTPUTS = ("output", "reasoning", "audio_output", "image_output")
# The library's price of a thousand requests; ours is of a million.
REQUESTS = "requests_kcount"


class Skip(Exception):
    """Why a line can't be compared."""


def library_usage(usage):
    """Our exclusive buckets as the library's: totals that include their parts."""
    # The library counts one request by itself.
    if usage.get("searches", 0) or usage.get("requests", 1) != 1:
        raise Skip("counts searches or several requests")
    fields = {
        "input_tokens": sum(usage.get(kind, 0) for kind in INPUTS),
        "output_tokens": sum(usage.get(kind, 0) for kind in OUTPUTS),
    }
    for kind, (_, usage_key) in KINDS.items():
        if usage_key and usage.get(kind, 0):
            fields[usage_key] = usage[kind]
    if "cache_write_1h_tokens" in fields:
        fields["cache_write_tokens"] = fields.get("cache_write_tokens", 0) + fields["cache_write_1h_tokens"]
    return Usage(**fields)


def rate(quote):
    """A known quote as dollars per million tokens."""
    if not isinstance(quote, dict) or "known" not in quote:
        raise Skip("our price is unknown")
    return Decimal(quote["known"]) / NANOS_PER_USD


def our_prices(sheet):
    """{library's price key: (base, ((start, price), ...))}"""
    prices = {}
    for kind, quote in sheet["quotes"]:
        if kind in KINDS:
            prices[KINDS[kind][0]] = (rate(quote), [])
        elif kind == "requests":
            prices[REQUESTS] = (rate(quote) / 1000, [])
    for change in sheet.get("overrides", []):
        if change.get("utc_window"):
            raise Skip("our sheet has a time window")
        for kind, quote in change["quotes"]:
            key = KINDS.get(kind, (None,))[0]
            if key not in prices:
                raise Skip("our tier has a kind without a base price")
            prices[key][1].append((change["above_input_tokens"], rate(quote)))
    return {key: (base, tuple(sorted(tiers))) for key, (base, tiers) in prices.items()}


def their_prices(model_price):
    """The same of a price of the library."""
    prices = {}
    for key, value in vars(model_price).items():
        if value is None or not (key.endswith("_mtok") or key == REQUESTS):
            continue
        if isinstance(value, TieredPrices):
            prices[key] = (value.base, tuple((tier.start, tier.price) for tier in value.tiers))
        else:
            prices[key] = (value, ())
    return prices


def compare(line):
    """None when equal, else what differs; raises Skip."""
    provider = PROVIDERS.get(line["provider"], line["provider"])
    at = datetime.fromisoformat(line["at"].replace("Z", "+00:00"))
    usage = library_usage(line["usage"])
    try:
        theirs = calc_price(
            usage, line["provider_model_id"], provider_id=provider, genai_request_timestamp=at
        )
    except LookupError as error:
        raise Skip("the library does not know the endpoint") from error
    except ValueError as error:
        raise Skip("the library can't price such usage") from error
    if our_prices(line["sheet"]) != their_prices(theirs.model_price):
        raise Skip("the library has another price")

    exact_nanos = theirs.total_price * NANOS_PER_USD
    products = [Decimal(row["units"]) * Decimal(row["rate"]) / 10**6 for row in line["cost"]["lines"]]
    if sum(products, Decimal(0)) != exact_nanos:
        return f"the library says {exact_nanos} nano-dollars, our lines come to {sum(products, Decimal(0))}"
    amounts = [row["amount"] for row in line["cost"]["lines"]]
    rounded = [int(product.to_integral_value(ROUND_CEILING)) for product in products]
    if amounts != rounded or line["cost"]["total"] != sum(rounded):
        return f"rounded up the lines are {rounded}, ours are {amounts} with the total {line['cost']['total']}"
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--at-least", type=int, default=1, help="comparisons needed")
    at_least = arguments.parse_args().at_least
    equal, skipped, different, endpoints, tiered = 0, Counter(), [], set(), 0
    for text in sys.stdin:
        line = json.loads(text)
        try:
            difference = compare(line)
        except Skip as reason:
            skipped[str(reason)] += 1
            continue
        endpoints.add(line["endpoint"])
        tiered += bool(line["sheet"].get("overrides"))
        if difference is None:
            equal += 1
        else:
            different.append({"endpoint": line["endpoint"], "usage": line["usage"], "difference": difference})
    print(
        json.dumps(
            {
                "equal": equal,
                "different": len(different),
                "differences": different[:DIFFERENCES_SHOWN],
                "skipped": dict(skipped),
                "endpoints_compared": len(endpoints),
                "lines_with_tiers": tiered,
            },
            indent=2,
        )
    )
    return 1 if different or equal < at_least else 0


if __name__ == "__main__":
    sys.exit(main())
