"""Text classification: TF-IDF and a multinomial model, beside scikit-learn's.

    python examples/text_classification.py
    python examples/text_classification.py --source 20newsgroups
    python examples/text_classification.py --source my.csv

By default the texts are those of the AWS manuals that botocore carries (boto3 is installed with
this package, so they are on every machine): paragraphs on operations and parameters, to be
told apart by the service they describe. scikit-learn's 20 newsgroups are downloaded if they are
not there yet. A CSV file of yours needs the columns "text" and "label".
"""

import argparse
import csv
import html
import re
import time

import numpy as np
from botocore.loaders import Loader
from sklearn.datasets import fetch_20newsgroups
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_cirrus import CirrusLogisticRegression

SERVICES = ["dynamodb", "iam", "lambda", "s3"]
FEWEST_WORDS = 8  # shorter texts fit any service
C = 10.0


def load_texts(source):
    """Texts and their labels, two lists."""
    if source == "aws":
        return aws_manuals()
    if source == "20newsgroups":
        news = fetch_20newsgroups(subset="all", remove=("headers", "footers", "quotes"))
        return news.data, [news.target_names[label] for label in news.target]
    with open(source, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"text", "label"} <= rows[0].keys():
        raise SystemExit(f"{source} must have a header with the columns text and label, and rows")
    return [row["text"] for row in rows], [row["label"] for row in rows]


def aws_manuals():
    """The paragraphs of the manuals and their services; none twice, none of two services."""
    services_of = {}
    for service in SERVICES:
        for text in documentation(Loader().load_service_model(service, "service-2")):
            plain = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
            if plain.count(" ") >= FEWEST_WORDS - 1:
                services_of.setdefault(plain, set()).add(service)
    pairs = [(text, *services) for text, services in services_of.items() if len(services) == 1]
    return [text for text, _ in pairs], [service for _, service in pairs]


def documentation(node):
    """Every text that documents something in a service's description."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "documentation" and isinstance(value, str):
                yield value
            else:
                yield from documentation(value)
    elif isinstance(node, list):
        for value in node:
            yield from documentation(value)


def telling_words(pipeline, n_words=5):
    """For each class, the words and pairs of words that speak for it most."""
    vectorizer, model = pipeline[0], pipeline[-1]
    words = vectorizer.get_feature_names_out()
    # Two classes have one row of weights, which speaks for the second.
    weights = model.coef_ if len(model.coef_) > 1 else np.vstack([-model.coef_, model.coef_])
    best = np.argsort(weights, axis=1)[:, : -n_words - 1 : -1]
    return {label: words[row] for label, row in zip(model.classes_, best, strict=True)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="aws", help="aws, 20newsgroups or a CSV file")
    texts, labels = load_texts(parser.parse_args().source)
    train, held, y_train, y_held = train_test_split(
        texts, labels, test_size=0.25, stratify=labels, random_state=0
    )
    print(f"{len(train):,} texts to train, {len(held):,} held out, {len(set(labels))} classes")

    models = {
        # The automatic rate for wide sparse data suits one pass over very many rows. These rows
        # are few, and thirty passes bear a larger one. (Below 4,096 words leave it at "auto".)
        "cirrus": CirrusLogisticRegression(
            C=C, learning_rate=1.0, max_iter=30, tol=None, n_workers=2, random_state=0
        ),
        "scikit-learn": LogisticRegression(C=C, max_iter=1000),
    }
    fitted = {}
    print(f"{'':14}{'accuracy':>10}{'log loss':>10}{'fit':>11}")
    for name, model in models.items():
        pipeline = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, stop_words="english", sublinear_tf=True),
            model,
        )
        start = time.perf_counter()
        pipeline.fit(train, y_train)
        seconds = time.perf_counter() - start
        accuracy = pipeline.score(held, y_held)
        loss = log_loss(y_held, pipeline.predict_proba(held))
        print(f"{name:14}{accuracy:10.4f}{loss:10.4f}{seconds:9.2f} s")
        fitted[name] = pipeline
    print("(whole pipelines: TF-IDF is in both, the start of workers and server in the first)")

    print("\nWords and pairs of words that speak for a class most:")
    for label, words in telling_words(fitted["cirrus"]).items():
        print(f"{label:26} {', '.join(words)}")


if __name__ == "__main__":
    main()
