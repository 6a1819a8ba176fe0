"""The shop's customers and what they buy: taste for attributes, fame of products, baskets, repeats."""

import hashlib

import numpy as np
import pandas as pd

FIRST_DAY, LAST_DAY = np.datetime64("2018-09-20"), np.datetime64("2020-09-22")

# How strongly the taste for each attribute moves a purchase (standard deviation in logits over values).
TASTE = {
    "type": 1.0,
    "pattern": 1.5,
    "sleeve": 1.2,
    "fit": 1.2,
    "neck": 1.0,
    "length": 1.0,
    "closure": 0.8,
    "pocket": 0.5,
    "colour": 0.5,
}
SEGMENTS = 12
SEGMENT_SHARE = 0.5  # of the variance of taste that the customers of a segment have in common
FAME = 0.9  # standard deviation over products, in logits: a long tail
FAME_OF_ARTICLE = 0.3  # the same over the articles of a product
REPEAT_SHARE = 0.03  # of the purchases are of an article bought before
ONE_PURCHASE_SHARE = 0.04  # of the customers
BASKET = 2.2  # articles a visit, mean
CUSTOMER_COLUMNS = ("customer_id", "FN", "Active", "club_member_status", "fashion_news_frequency", "age", "postal_code")


def customers_table(rng: np.random.Generator, n_customers: int) -> pd.DataFrame:
    """H&M's seven columns; ids are 64 hexadecimal digits, in order of the id."""
    ids = sorted(hashlib.sha256(f"customer {number}".encode()).hexdigest() for number in range(n_customers))
    news = rng.random(n_customers) < 0.35
    member = rng.choice(["ACTIVE", "PRE-CREATE"], n_customers, p=[0.93, 0.07])
    postal = [hashlib.sha256(f"place {number}".encode()).hexdigest() for number in rng.integers(0, 400, n_customers)]
    flag = np.where(news, 1.0, np.nan)
    columns = (ids, flag, flag, member, np.where(news, "Regularly", "NONE"), rng.integers(16, 80, n_customers), postal)
    return pd.DataFrame(dict(zip(CUSTOMER_COLUMNS, columns, strict=True)))


def transactions_table(
    rng: np.random.Generator, truth: pd.DataFrame, product_codes: pd.Series, customer_ids: pd.Series, n_purchases: int
) -> pd.DataFrame:
    """`n_purchases` purchases in order of the day, then of the customer.

    Args:
        truth: a row per article, an attribute a column.
        product_codes: of the articles, in the order of `truth`.
    """
    wanted = _how_many(rng, len(customer_ids), n_purchases)
    logits = _appeal(rng, truth, len(customer_ids)) + _fame(rng, product_codes)  # (n_customers, n_articles)
    customer, article = _choose(rng, logits, wanted)
    day = _days(rng, wanted)
    price = np.round(np.exp(rng.normal(-3.6, 0.5, len(truth))), 6)
    order = np.lexsort((np.arange(len(day)), customer, day))
    return pd.DataFrame(
        {
            "t_dat": np.datetime_as_string(FIRST_DAY + day[order]),
            "customer_id": customer_ids.to_numpy()[customer[order]],
            "article_id": truth["article_id"].to_numpy()[article[order]],
            "price": price[article[order]],
            "sales_channel_id": rng.choice([1, 2], len(order), p=[0.3, 0.7]),
        }
    )


def _how_many(rng: np.random.Generator, n_customers: int, n_purchases: int) -> np.ndarray:
    """Purchases of each customer: one at least, many of few, together exactly `n_purchases`."""
    weight = rng.lognormal(0, 0.8, n_customers)
    weight[rng.random(n_customers) < ONE_PURCHASE_SHARE] = 0
    if not weight.sum():
        weight[:] = 1
    left = n_purchases - n_customers
    exact = weight / weight.sum() * left
    wanted = np.floor(exact).astype(int)
    largest_rest_first = np.argsort(-(exact - wanted), kind="stable")
    wanted[largest_rest_first[: left - wanted.sum()]] += 1
    return wanted + 1


def _appeal(rng: np.random.Generator, truth: pd.DataFrame, n_customers: int) -> np.ndarray:
    """How much each article is to each customer's taste, in logits: (n_customers, n_articles)."""
    segment = rng.integers(0, SEGMENTS, n_customers)
    appeal = np.zeros((n_customers, len(truth)))
    for name, strength in TASTE.items():
        value, values = pd.factorize(truth[name], sort=True)  # −1 where the type has no such attribute
        shared = rng.normal(0, np.sqrt(SEGMENT_SHARE), (SEGMENTS, len(values)))[segment]
        taste = strength * (shared + rng.normal(0, np.sqrt(1 - SEGMENT_SHARE), (n_customers, len(values))))
        appeal += np.column_stack([taste, np.zeros(n_customers)])[:, value]  # the last column is for −1
    return appeal


def _fame(rng: np.random.Generator, product_codes: pd.Series) -> np.ndarray:
    """Popularity of each article, in logits: (n_articles,)."""
    product, products = pd.factorize(product_codes, sort=True)
    return rng.normal(0, FAME, len(products))[product] + rng.normal(0, FAME_OF_ARTICLE, len(product))


def _choose(rng: np.random.Generator, logits: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Customer and article of every purchase, customer by customer: drawn without replacement, a few repeated after."""
    chosen = []
    for row, n in zip(logits, wanted, strict=True):
        n_distinct = min(n, len(row))
        noisy = row + rng.gumbel(size=len(row))  # the n largest are a draw without replacement from the softmax
        articles = rng.permutation(np.argpartition(-noisy, n_distinct - 1)[:n_distinct])
        articles = np.concatenate([articles, rng.choice(articles, n - n_distinct)])
        repeat = np.flatnonzero(rng.random(n) < REPEAT_SHARE)
        articles[repeat] = articles[
            (rng.random(len(repeat)) * repeat).astype(int)
        ]  # one bought earlier, or itself if first
        chosen.append(articles)
    return np.repeat(np.arange(len(wanted)), wanted), np.concatenate(chosen)


def _days(rng: np.random.Generator, wanted: np.ndarray) -> np.ndarray:
    """Days since the first, rising for each customer; the purchases of a visit share one."""
    n_days = int((LAST_DAY - FIRST_DAY).astype(int)) + 1
    days = []
    for n in wanted:
        new_visit = rng.random(n) < 1 / BASKET
        visit = np.cumsum(new_visit) - new_visit[0]
        days.append(np.sort(rng.integers(0, n_days, visit[-1] + 1))[visit])
    return np.concatenate(days)
