"""The shop's customers and their purchases: taste for attributes, popularity of products, baskets, repeats."""

import hashlib

import numpy as np
import pandas as pd

FIRST_DAY = np.datetime64("2018-09-20")
LAST_DAY = np.datetime64("2020-09-22")

# Standard deviation of a customer's taste over the values of each attribute, in logits.
TASTE = {
    "type": 1.0,
    "pattern": 1.5,
    "sleeve": 1.2,
    "fit": 1.2,
    "neck": 1.0,
    "length": 1.0,
    "closure": 0.8,
    "waist": 0.8,
    "sole": 0.8,
    "pocket": 0.5,
    "material": 0.5,  # of which a picture says nothing
    "colour": 0.5,
}
SEGMENTS = 12
SEGMENT_SHARE = 0.5  # of the variance of taste that the customers of a segment have in common
POPULARITY = 0.9  # standard deviation over products, in logits: a long tail
POPULARITY_OF_ARTICLE = 0.3  # standard deviation over the articles of a product, in logits
REPEAT_SHARE = 0.03  # of the purchases are of an article bought before
SINGLE_PURCHASE_SHARE = 0.04  # of the customers buy once
BASKET = 2.2  # mean number of articles in a visit
CUSTOMER_COLUMNS = ("customer_id", "FN", "Active", "club_member_status", "fashion_news_frequency", "age", "postal_code")


def draw_customers(rng: np.random.Generator, n_customers: int) -> pd.DataFrame:
    """Draw customers with H&M's seven columns, in order of their ids of 64 hexadecimal digits."""
    ids = sorted(hashlib.sha256(f"customer {number}".encode()).hexdigest() for number in range(n_customers))
    news = rng.random(n_customers) < 0.35
    member = rng.choice(["ACTIVE", "PRE-CREATE"], n_customers, p=[0.93, 0.07])
    postal = [hashlib.sha256(f"place {number}".encode()).hexdigest() for number in rng.integers(0, 400, n_customers)]
    flag = np.where(news, 1.0, np.nan)
    columns = (ids, flag, flag, member, np.where(news, "Regularly", "NONE"), rng.integers(16, 80, n_customers), postal)
    return pd.DataFrame(dict(zip(CUSTOMER_COLUMNS, columns, strict=True)))


def draw_transactions(
    rng: np.random.Generator, truth: pd.DataFrame, product_codes: pd.Series, customer_ids: pd.Series, n_purchases: int
) -> pd.DataFrame:
    """Draw purchases, in order of the day, then of the customer.

    Args:
        rng: Where the random numbers come from.
        truth: article_id and attributes of each article.
        product_codes: The product code of each article, in the order of `truth`.
        customer_ids: The id of each customer.
        n_purchases: How many purchases to draw.
    """
    counts = _count_purchases(rng, len(customer_ids), n_purchases)
    logits = _draw_appeal(rng, truth, len(customer_ids)) + _draw_popularity(
        rng, product_codes
    )  # (n_customers, n_articles)
    customer, article = draw_articles(rng, logits, counts)
    day = _draw_days(rng, counts)
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


def _count_purchases(rng: np.random.Generator, n_customers: int, n_purchases: int) -> np.ndarray:
    """Draw the number of purchases of each customer: at least 1, together `n_purchases`; most customers buy little."""
    weight = rng.lognormal(0, 0.8, n_customers)
    weight[rng.random(n_customers) < SINGLE_PURCHASE_SHARE] = 0
    if not weight.sum():
        weight[:] = 1
    n_extra = n_purchases - n_customers
    exact = weight / weight.sum() * n_extra
    counts = np.floor(exact).astype(int)
    largest_rest_first = np.argsort(-(exact - counts), kind="stable")
    counts[largest_rest_first[: n_extra - counts.sum()]] += 1
    return counts + 1


def _draw_appeal(rng: np.random.Generator, truth: pd.DataFrame, n_customers: int) -> np.ndarray:
    """Draw how much each customer likes each article, in logits: (n_customers, n_articles)."""
    segment = rng.integers(0, SEGMENTS, n_customers)
    appeal = np.zeros((n_customers, len(truth)))
    for name, strength in TASTE.items():
        value, values = pd.factorize(truth[name], sort=True)  # −1 where the type has no such attribute
        shared = rng.normal(0, np.sqrt(SEGMENT_SHARE), (SEGMENTS, len(values)))[segment]
        taste = strength * (shared + rng.normal(0, np.sqrt(1 - SEGMENT_SHARE), (n_customers, len(values))))
        appeal += np.column_stack([taste, np.zeros(n_customers)])[:, value]  # the last column is for −1
    return appeal


def _draw_popularity(rng: np.random.Generator, product_codes: pd.Series) -> np.ndarray:
    """Draw the popularity of each article, in logits: (n_articles,)."""
    product, products = pd.factorize(product_codes, sort=True)
    return rng.normal(0, POPULARITY, len(products))[product] + rng.normal(0, POPULARITY_OF_ARTICLE, len(product))


def draw_articles(rng: np.random.Generator, logits: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw customer and article of every purchase, customer by customer: without replacement, then some repeats.

    Args:
        rng: Where the random numbers come from.
        logits: How much each customer likes each article: (n_customers, n_articles).
        counts: Purchases of each customer: (n_customers,).
    """
    drawn = []
    for row, n in zip(logits, counts, strict=True):
        n_distinct = min(n, len(row))
        noisy = row + rng.gumbel(size=len(row))  # the n largest are a draw without replacement from the softmax
        chosen = np.sort(np.argpartition(-noisy, n_distinct - 1)[:n_distinct])  # whose order depends on the processor
        articles = rng.permutation(chosen)
        articles = np.concatenate([articles, rng.choice(articles, n - n_distinct)])
        repeat = np.flatnonzero(rng.random(n) < REPEAT_SHARE)
        earlier = (rng.random(len(repeat)) * repeat).astype(int)  # the first purchase can only repeat itself
        articles[repeat] = articles[earlier]
        drawn.append(articles)
    return np.repeat(np.arange(len(counts)), counts), np.concatenate(drawn)


def _draw_days(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    """Draw the day of every purchase, since the first day, rising for each customer; a visit is on a single day."""
    n_days = int((LAST_DAY - FIRST_DAY).astype(int)) + 1
    days = []
    for n in counts:
        new_visit = rng.random(n) < 1 / BASKET
        visit = np.cumsum(new_visit) - new_visit[0]
        days.append(np.sort(rng.integers(0, n_days, visit[-1] + 1))[visit])
    return np.concatenate(days)
