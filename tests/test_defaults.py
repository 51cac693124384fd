"""Nothing set but the loss and the penalty: raw data in, optimum out.

F* is found by L-BFGS in standardised coordinates, with the penalty of the raw ones; F0 is the
objective at zero coefficients and the best intercept. Losses with kinks are averaged over ever
shorter distances on the way.
"""

import re
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog, minimize
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_wine,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)

from skgd import GDClassifier, GDRegressor
from skgd.losses import LogLoss, Loss, Multinomial
from skgd.optimizers import SGD

ALPHA = 1e-4
TWO_CLASSES = ["log_loss", "squared_hinge", "modified_huber", "hinge"]
KINKS = ["hinge", "quantile", "absolute_error", "epsilon_insensitive"]
REGRESSION = ["squared_error", "huber", "poisson", "quantile", "absolute_error"]
CASES = [
    *[(loss, "cancer") for loss in TWO_CLASSES],
    *[(loss, "diabetes") for loss in [*REGRESSION, "epsilon_insensitive"]],
    ("multinomial", "wine"),
    ("log_loss", "rare"),
    ("squared_error", "rare"),
    *[(loss, "few") for loss in ["log_loss", "squared_hinge", "modified_huber", "hinge"]],
    *[(loss, "few") for loss in ["squared_error", "huber", "poisson"]],
    *[(loss, "alike") for loss in ["log_loss", "squared_error", "huber", "quantile"]],
]
cases = pytest.mark.parametrize(("loss", "name"), CASES)


@cache
def rows(name):
    """(X in raw units, y): "rare" has columns of very many units, most of them rarely not zero;
    "few" has fewer rows than columns, with heavy tails; columns of "alike" differ by 1e-3."""
    rng = np.random.default_rng(0)
    if name in ("few", "alike"):
        n, d = (60, 90) if name == "few" else (800, 30)
        X = rng.normal(size=(n, d))
        X = X**3 if name == "few" else X[:, :1] + 1e-3 * X
        y = np.sum(X[:, :5] - X[:, 5:10], axis=1)
        y = 10.0 * (y / y.std() + rng.normal(size=n))
        return (X + 10) * 10.0 ** rng.uniform(-2, 2, d), y - y.min()
    if name != "rare":
        load = {"cancer": load_breast_cancer, "diabetes": load_diabetes, "wine": load_wine}[name]
        return load(return_X_y=True, **({"scaled": False} if name == "diabetes" else {}))
    rng = np.random.default_rng(0)
    X, y = make_regression(3000, 30, noise=100.0, random_state=0)
    X = np.where(rng.random(X.shape) < np.geomspace(0.005, 0.5, 30), X, 0.0)
    return X * 10.0 ** rng.uniform(-3, 3, 30), y


class Reference:
    """F by its formula, in raw units and in standardised coordinates."""

    def __init__(self, loss, name, alpha, fit_intercept):
        self.X, y = rows(name)
        if loss in TWO_CLASSES:
            y = np.where(y == 1 if name == "cancer" else y > np.median(y), 1.0, -1.0)
        self.y, self.alpha, self.fit_intercept = y, alpha, fit_intercept
        self.loss = Multinomial() if loss == "multinomial" else Loss.registry[loss]()
        self.n_columns = len(np.unique(y)) if loss == "multinomial" else 1
        self.shift = self.X.mean(axis=0) * fit_intercept
        self.scale = np.sqrt(np.mean((self.X - self.shift) ** 2, axis=0))
        self.targets = y if loss == "multinomial" else y[:, np.newaxis]

    def objective(self, coef, intercept):
        value = self.loss.value(self.targets, self.X @ np.atleast_2d(coef).T + intercept)
        return value.sum() / len(self.y) + self.alpha / 2 * np.sum(np.square(coef))

    def value_and_gradient(self, flat, reach):
        U, c = np.split(flat.reshape(self.n_columns, -1), [-1], axis=1)
        Z = (self.X - self.shift) / self.scale
        z, n = Z @ U.T + c[:, 0] * self.fit_intercept, len(self.y)
        value, slope = self.loss.value(self.targets, z), None
        if reach:
            above, below = (self.loss.value(self.targets, z + side) for side in (reach, -reach))
            value, slope = (above + below) / 2, (above - below) / (2 * reach)
        slope = (self.loss.slope(self.targets, z) if slope is None else slope) / n
        penalty = self.alpha / self.scale**2 * U
        gradient = np.column_stack([slope.T @ Z + penalty, slope.sum(axis=0) * self.fit_intercept])
        return value.sum() / n + np.sum(penalty * U) / 2, gradient.ravel()

    def optimum(self, reaches):
        flat = np.zeros(self.n_columns * (self.X.shape[1] + 1))
        for reach in reaches:
            flat = minimize(
                self.value_and_gradient, flat, (reach,), "L-BFGS-B", jac=True,
                options={"maxiter": 20_000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-11},
            ).x  # fmt: skip
        U, c = np.split(flat.reshape(self.n_columns, -1), [-1], axis=1)
        coef = U / self.scale
        return self.objective(coef, c[:, 0] * self.fit_intercept - coef @ self.shift)


@cache
def reference(loss, name, alpha=ALPHA, fit_intercept=True):
    """(Reference, F0, F*)."""
    known = Reference(loss, name, alpha, fit_intercept)
    spread = 1.0 if loss in TWO_CLASSES else np.std(known.y)
    # value and slope of two points' mean: of one loss, up to a constant near each kink
    reaches = spread * np.geomspace(0.3, 3e-4, 7) if loss in KINKS else [0.0]
    zeros = np.zeros((known.n_columns, known.X.shape[1]))
    intercept = known.loss.best_intercept(known.y, None, known.n_columns) if fit_intercept else 0.0
    return known, known.objective(zeros, intercept), known.optimum(reaches)


def left(loss, model, known, start, best):
    """(F - F*) / (F0 - F*)."""
    return (known.objective(model.coef_, model.intercept_) - best) / (start - best)


def estimator(loss, **keywords):
    keywords = {"alpha": ALPHA, "random_state": 0} | keywords
    if loss == "multinomial":
        return GDClassifier(**keywords)
    made = GDClassifier if loss in TWO_CLASSES else GDRegressor
    return made(Loss.registry[loss](), **keywords)


@cases
@pytest.mark.parametrize("alpha", [1e-2, 1e-4, 1e-6])
def test_the_optimum_is_reached_on_raw_data(loss, name, alpha):
    known, start, best = reference(loss, name, alpha)
    model = estimator(loss, alpha=alpha).fit(known.X, known.y)
    truth = left(loss, model, known, start, best)
    assert truth < (1e-2 if loss in KINKS else 1e-3)
    if np.isfinite(model.suboptimality_bound_):
        assert truth <= model.suboptimality_bound_ <= model.tol
        assert model.history_["suboptimality"][-1] == model.suboptimality_bound_


@cases
def test_it_is_reached_without_an_intercept(loss, name):
    known, start, best = reference(loss, name, fit_intercept=False)
    model = estimator(loss, fit_intercept=False).fit(known.X, known.y)
    assert left(loss, model, known, start, best) < (1e-2 if loss in KINKS else 1e-3)


@cases
def test_it_is_reached_in_single_precision_and_on_sparse_rows(loss, name):
    known, start, best = reference(loss, name)
    for X in (known.X.astype(np.float32), sp.csr_array(known.X)):
        model = estimator(loss).fit(X, known.y)
        assert left(loss, model, known, start, best) < (1e-2 if loss in KINKS else 1e-3)


@cases
def test_tol_is_what_is_left_to_gain(loss, name):
    known, start, best = reference(loss, name)
    tols = [1e-1, 1e-2] if loss in KINKS else [1e-2, 1e-4, 1e-6]
    epochs = []
    for tol in tols:
        model = estimator(loss, tol=tol, max_iter=5000).fit(known.X, known.y)
        assert left(loss, model, known, start, best) <= tol
        epochs.append(model.n_iter_)
    assert epochs == sorted(epochs)


def test_a_fit_that_runs_out_of_epochs_says_how_far_it_is():
    known, start, best = reference("log_loss", "cancer")
    sentence = (
        r"max_iter=5 .* estimated (\S+) of all .* is left, and the last 4 epochs brought (\S+)"
    )
    with pytest.warns(ConvergenceWarning, match=sentence) as caught:
        model = estimator("log_loss", max_iter=5).fit(known.X, known.y)
    estimated, brought = map(float, re.search(sentence, str(caught[0].message)).groups())
    truth = left("log_loss", model, known, start, best)
    assert truth < estimated < 10 * truth
    curve = model.loss_curve_
    assert brought == pytest.approx((curve[0] - curve[-1]) / (start - curve[-1]), rel=0.1)
    assert np.isnan(model.suboptimality_bound_)


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_another_unit_of_the_targets_changes_the_unit_of_the_predictions_only(loss):
    X, y = rows("diabetes")
    plain = estimator(loss, alpha=0.0).fit(X, y).predict(X)
    scaled = estimator(loss, alpha=0.0).fit(X, 1e3 * y).predict(X)
    np.testing.assert_allclose(scaled / 1e3, plain, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize(("loss", "name"), [("squared_error", "diabetes"), ("log_loss", "rare")])
def test_another_unit_of_a_column_changes_no_prediction(loss, name, factor):
    known, *_ = reference(loss, name)
    other = known.X.copy()
    other[:, 2] *= factor
    scores = []
    for X in (known.X, other):
        model = estimator(loss, alpha=0.0, tol=1e-9).fit(X, known.y)
        scores.append(getattr(model, "decision_function", model.predict)(X))
    assert np.abs(scores[0] - scores[1]).max() < 1e-6 * scores[0].std()


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_zeros_of_l1_are_exact_and_belong_to_the_optimum(loss, penalty):
    X, y = load_breast_cancer(return_X_y=True)
    shared = {"penalty": penalty, "alpha": 0.01, "l1_ratio": 0.7, "max_iter": 3000}
    model = estimator(loss, **shared).fit(X, y)
    best = estimator(loss, **shared | {"tol": None, "max_iter": 20_000}).fit(X, y)
    start, curve = model.loss_curve_[0], best.loss_curve_
    assert model.loss_curve_[-1] - curve[-1] < (1e-2 if loss == "hinge" else 1e-3) * (
        start - curve[-1]
    )
    assert np.sum(model.coef_ == 0) > 0
    assert np.mean((model.coef_ == 0) == (best.coef_ == 0)) > 0.8


def test_whitened_coordinates_need_no_scaling_under_any_rule():
    X, y = rows("rare")
    settings = {"learning_rate": 0.5, "batch_size": "full", "max_iter": 30, "tol": None}
    for optimizer in (SGD(), SGD(momentum=0.5)):
        model = GDRegressor(optimizer=optimizer, precondition="whiten", alpha=0.0, **settings)
        exact = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
        np.testing.assert_allclose(
            model.fit(X, y).predict(X), X @ exact[:-1] + exact[-1], atol=1e-3
        )


@pytest.mark.parametrize("keywords", [{"penalty": "l1"}, {"positive": True}])
def test_a_rule_has_no_proximal_step_in_whitened_coordinates(keywords):
    X, y = rows("diabetes")
    with pytest.raises(ValueError, match=r"precondition='whiten'.*try precondition='diagonal'"):
        GDRegressor(optimizer="sgd", precondition="whiten", **keywords).fit(X, y)


def wide(loss):
    """Sparse counts of 3000 words in 1500 documents, as they come, and a target."""
    rng = np.random.default_rng(0)
    X = sp.csr_array(np.where(rng.random((1500, 3000)) < 0.02, rng.random((1500, 3000)), 0.0))
    X.data = np.ceil(X.data * 5) * np.geomspace(0.01, 10, 3000)[X.indices]
    z = X @ (rng.normal(size=3000) / np.geomspace(0.01, 10, 3000))
    if loss == "multinomial":
        return X, np.digitize(z, np.quantile(z, [0.3, 0.6]))
    if loss in TWO_CLASSES:
        return X, np.where(z + rng.normal(size=1500) > 0, 1.0, -1.0)
    return X, rng.poisson(np.exp(z / z.std())) if loss == "poisson" else z


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, np.float32])
@pytest.mark.parametrize("keywords", [{}, {"fit_intercept": False}, {"penalty": None}])
def test_a_squared_error_is_solved_by_the_curvature_of_all_rows(container, keywords):
    X, y = rows("diabetes")
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    model = GDRegressor(**keywords).fit(container(X), y, sample_weight=weight)
    alpha = 1e-4 * weight.sum() if "penalty" not in keywords else 0.0
    exact = Ridge(alpha, fit_intercept=model.fit_intercept).fit(X, y, sample_weight=weight)
    assert (type(model.optimizer_).__name__, model.n_iter_) == ("TruncatedNewton", 2)
    np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=1e-5)
    assert 0.0 < model.suboptimality_bound_ < 1e-6


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("apart", [1e-3, 1e-4, 1e-5, 1e-6])
def test_what_two_columns_all_but_share_is_not_missed(apart, tol):
    rng = np.random.default_rng(0)
    shared, own, noise = rng.normal(size=(3, 3000))
    X = np.column_stack([shared, shared + apart * own])
    model = GDRegressor(penalty=None, tol=tol).fit(X, own + 0.3 * noise)
    solved = np.linalg.lstsq(
        np.column_stack([shared, own, np.ones(3000)]), own + 0.3 * noise, rcond=None
    )[1][0]
    left = 0.5 * (np.sum((own + 0.3 * noise - model.predict(X)) ** 2) - solved)
    assert left <= tol * 0.5 * np.sum((own - own.mean()) ** 2)


@pytest.mark.parametrize("n_classes, n_columns", [(2, 80), (5, 8), (3, 70)])
def test_any_number_of_threads_gives_the_fit_of_one(n_classes, n_columns):
    """Also where curvatures are taken in single precision, which would show who rounded how."""
    rng = np.random.default_rng(0)
    X = rng.lognormal(size=(20_000, n_columns))
    y = np.argmax(X[:, :n_classes] + rng.gumbel(size=(len(X), n_classes)), axis=1)
    one, *others = (GDClassifier(n_jobs=n_jobs, tol=1e-2).fit(X, y) for n_jobs in (1, 2, 3))
    for other in others:
        np.testing.assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-12)
        np.testing.assert_allclose(
            other.coef_, one.coef_, rtol=0, atol=1e-12 * np.abs(one.coef_).max()
        )


@pytest.mark.parametrize("estimator", [GDClassifier, GDRegressor])
def test_sparse_rows_without_an_entry_leave_the_intercept(estimator):
    y = np.arange(40) % 2
    model = estimator().fit(sp.csr_array((40, 3)), y)
    assert not model.coef_.any()
    dense = estimator().fit(np.zeros((40, 3)), y)
    np.testing.assert_allclose(model.intercept_, dense.intercept_, atol=1e-12)


@pytest.mark.parametrize(
    "loss", ["log_loss", "multinomial", "squared_error", "poisson", "squared_hinge"]
)
def test_the_optimum_is_reached_where_there_are_very_many_columns(loss):
    X, y = wide(loss)
    model = estimator(loss, alpha=1e-2).fit(X, y)
    tight = estimator(loss, alpha=1e-2, tol=1e-9).fit(X, y)
    assert type(model.optimizer_).__name__ == "TruncatedNewton"
    assert model.n_iter_ < 25
    value = Multinomial() if loss == "multinomial" else Loss.registry[loss]()

    def objective(coef, intercept):
        z = X @ np.atleast_2d(coef).T + intercept
        z = z if loss == "multinomial" else z[:, 0]
        return value.value(y, z).mean() + 1e-2 / 2 * np.sum(np.square(coef))

    best = objective(tight.coef_, tight.intercept_)
    # at the optimum all slopes are zero
    assert np.abs(tight.compute_gradients(X, y)[0]).max() < 1e-4 * max(1.0, np.std(y))
    start = tight.loss_curve_[0]
    assert objective(model.coef_, model.intercept_) - best <= 1e-3 * (start - best)
    assert best <= start


@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("alpha", [1e-4, 1e-6])
def test_very_many_columns_that_depend_on_each_other_are_not_given_up_early(alpha, tol):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 20)) @ rng.normal(size=(20, 1100)) + rng.normal(size=(1200, 1100))
    X += 10.0 * rng.normal(size=(1200, 1))
    y = X @ rng.normal(size=1100) / 50.0 + rng.normal(size=1200) + 50.0
    model = GDRegressor(alpha=alpha, tol=tol).fit(X, y)
    exact = Ridge(alpha=1200 * alpha, solver="cholesky").fit(X, y)

    def objective(model):
        return np.mean((y - model.predict(X)) ** 2) / 2 + alpha / 2 * np.sum(model.coef_**2)

    gained, left = np.var(y) / 2 - objective(exact), objective(model) - objective(exact)
    assert left <= tol * gained
    assert model.suboptimality_bound_ > 0.0


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
@pytest.mark.parametrize("made", [GDRegressor, GDClassifier])
def test_flat_directions_under_a_few_strong_ones_are_not_missed(noise, made):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 20)) @ rng.normal(size=(20, 1000)) + noise * rng.normal(
        size=(1500, 1000)
    )
    y = rng.normal(size=1500)
    if made is GDClassifier:
        y = np.where(y > 0, 1.0, -1.0)
        exact = LogisticRegression(C=1.0 / (1500 * 1e-6), solver="newton-cholesky", tol=1e-10)
    else:
        exact = Ridge(alpha=1500 * 1e-6, solver="cholesky")
    model, exact = made(alpha=1e-6).fit(X, y), exact.fit(X, y)

    def objective(coef, intercept):
        z = X @ coef + intercept
        losses = np.logaddexp(0.0, -y * z) if made is GDClassifier else (y - z) ** 2 / 2
        return losses.mean() + 1e-6 / 2 * coef @ coef

    start = objective(np.zeros(1000), 0.0)
    best = objective(exact.coef_.ravel(), exact.intercept_)
    assert start - best > 0.05 * start  # nearly all of it along the flat directions
    assert objective(model.coef_.ravel(), model.intercept_) - best <= 1e-3 * (start - best)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("n", "d", "n_classes", "alpha"), [(200, 81, 17, 1e-4), (500, 150, 10, 1e-4)]
)
def test_a_softmax_of_more_than_a_thousand_coefficients_does_not_stall(
    n, d, n_classes, alpha, seed
):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-2.0, 2.0, d)
    z = (X / X.std(axis=0)) @ rng.normal(size=(d, n_classes)) / 2.0
    y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    model = GDClassifier(alpha=alpha).fit(X, y)
    exact = LogisticRegression(C=1.0 / (n * alpha), solver="newton-cholesky", tol=1e-8).fit(X, y)

    def objective(coef, intercept):
        losses = Multinomial().value(np.searchsorted(model.classes_, y), X @ coef.T + intercept)
        return losses.mean() + alpha / 2 * np.sum(np.square(coef))

    start, best = model.loss_curve_[0], objective(exact.coef_, exact.intercept_)
    assert objective(model.coef_, model.intercept_) - best <= 1e-3 * (start - best)
    assert model.n_iter_ < 500


def test_what_is_left_is_estimated_where_only_the_intercept_can_move():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), rng.normal(size=100)
    model = GDRegressor(penalty="l1", alpha=10.0, optimizer="sgd", batch_size="full").fit(X, y)
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(y.mean(), abs=1e-3)


def test_a_loss_that_inherits_says_itself_how_low_it_goes():
    class Lower(LogLoss):
        def value(self, y, z):
            return super().value(y, z) - 10.0

    X, y = rows("cancer")
    model = GDClassifier(Lower(), alpha=1e-2).fit(X, y)
    assert model.n_iter_ > 1
    assert model.suboptimality_bound_ >= 0.0
    assert model.score(X, y) > 0.95


def test_no_more_is_said_to_be_left_than_an_objective_above_zero_can_lose():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 150)), np.arange(100) % 10
    with pytest.warns(ConvergenceWarning, match="an estimated") as caught:
        model = GDClassifier(alpha=1e-6, tol=1e-9, max_iter=30).fit(X, y)
    left = float(re.search("estimated ([^ ]*) of", str(caught[0].message))[1])
    assert 0.0 < left <= model.loss_curve_[-1] / model.loss_curve_[0] * 1.05


@pytest.mark.parametrize("name", ["cancer", "diabetes", "rare"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_thresholds_on_raw_data_are_those_of_coordinate_descent(name, l1_ratio):
    X, y = rows(name)
    alpha = 0.05 * np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / len(y)
    keywords = {"alpha": alpha, "l1_ratio": l1_ratio}
    theirs = ElasticNet(**keywords, tol=1e-12, max_iter=1_000_000).fit(X, y)
    ours = GDRegressor(penalty="elasticnet", **keywords, tol=1e-9, random_state=0).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-4 * np.std(y))
    assert (ours.coef_ == 0).sum() == (theirs.coef_ == 0).sum()
    assert ours.n_iter_ < 40


@pytest.mark.parametrize("name", ["diabetes", "cancer"])
def test_coefficients_that_must_not_be_negative_are_those_of_least_squares(name):
    X, y = rows(name)
    ours = GDRegressor(positive=True, alpha=0.0, tol=1e-9, random_state=0).fit(X, y)
    theirs = LinearRegression(positive=True).fit(X, y)
    assert (ours.coef_ >= 0).all()
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-4 * np.std(y))


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "squared_error", "poisson", "huber"])
def test_repeated_and_reordered_rows_give_the_same_predictions(loss):
    X, y = rows("cancer" if loss in TWO_CLASSES else "diabetes")
    if loss in TWO_CLASSES:
        y = np.where(y == 1, 1.0, -1.0)
    model = estimator(loss, tol=1e-9, alpha=1e-2).fit(X, y)
    twice = estimator(loss, tol=1e-9, alpha=1e-2).fit(np.vstack([X, X]), np.append(y, y))
    order = np.random.default_rng(0).permutation(len(y))
    other = estimator(loss, tol=1e-9, alpha=1e-2).fit(X[order], y[order])

    def scores(fitted):
        return X @ np.ravel(fitted.coef_) + fitted.intercept_

    for twin in (twice, other):
        np.testing.assert_allclose(scores(twin), scores(model), atol=1e-6 * np.std(scores(model)))


@pytest.mark.parametrize(
    "loss", ["log_loss", "hinge", "squared_hinge", "modified_huber", "perceptron"]
)
def test_separable_classes_without_a_penalty_end_with_a_sentence(loss):
    rng = np.random.default_rng(0)
    y = np.repeat([-1.0, 1.0], 100)
    X = (rng.normal(size=(200, 3)) + 5 * y[:, np.newaxis]) * [1e-3, 1.0, 1e3]
    model = GDClassifier(loss, alpha=0.0, random_state=0).fit(X, y)
    assert model.score(X, y) == 1
    assert model.n_iter_ < 50
    assert re.match("the objective is|no further progress", model.stop_reason_)


def test_targets_within_epsilon_of_each_other_leave_nothing_to_gain():
    X, y = rows("diabetes")
    model = GDRegressor("epsilon_insensitive", random_state=0).fit(X, 1e-4 * y)
    assert model.n_iter_ < 10
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_a_perceptron_stops_on_a_plateau(load):
    X, y = load(return_X_y=True)
    model = GDClassifier("perceptron", random_state=0).fit(X, y)
    assert model.stop_reason_.startswith("no further progress")
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("keywords", [{}, {"penalty": "l1"}, {"positive": True}])
def test_counts_with_heavy_tailed_columns_are_fitted(keywords):
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(5000, 5)) ** 3 * [1, 100, 1e4, 1, 1e-3]
    y = rng.poisson(np.exp(np.minimum(-3 + 0.3 * np.log1p(X[:, 1]) + 0.02 * X[:, 0], 6)))
    model = GDRegressor("poisson", random_state=0, **keywords).fit(X, y)
    exact = PoissonRegressor(alpha=1e-4, solver="newton-cholesky", tol=1e-10).fit(X, y)
    value = Loss.registry["poisson"]().value

    def objective(fitted):
        return value(y, X @ fitted.coef_ + fitted.intercept_).mean()

    assert objective(model) - objective(exact) < 1e-3 * (model.loss_curve_[0] - objective(exact))


def tiny(name):
    """(X, y): few rows, or columns of heavy tails."""
    rng = np.random.default_rng(1)
    if name == "cancer":
        return load_breast_cancer(return_X_y=True)
    if name == "diabetes":
        return load_diabetes(return_X_y=True, scaled=False)
    if name == "wide":
        X = rng.normal(size=(40, 200))
        return X, (X[:, 0] > 0).astype(float)
    if name == "skewed":
        X = rng.exponential(size=(1000, 5)) ** 3 * [1, 100, 1e4, 1, 1e-3]
        return X, X @ [1, 0.01, 1e-4, 0, 10] + 5 * rng.exponential(size=1000)
    return rng.normal(size=(10, 3)), np.arange(10) % 2.0


def by_linear_programming(loss, X, y, alpha):
    """Least objective of a loss of two slopes with l1."""
    n, d = X.shape
    bounds = 2 * d * [(0, None)] + [(None, None)] + (1 + (loss == "quantile")) * n * [(0, None)]
    cost = np.append(alpha * np.ones(2 * d), 0.0)
    scores = np.column_stack([X, -X, np.ones(n)])
    if loss == "hinge":
        limits = {"A_ub": -np.diag(2 * y - 1) @ scores, "b_ub": -np.ones(n)}
        limits["A_ub"] = np.column_stack([limits["A_ub"], -np.eye(n)])
        cost = np.append(cost, np.full(n, 1 / n))
    else:
        limits = {"A_eq": np.column_stack([scores, np.eye(n), -np.eye(n)]), "b_eq": y}
        cost = np.concatenate([cost, np.full(2 * n, 0.5 / n)])
    return linprog(cost, **limits, bounds=bounds, method="highs").fun


@pytest.mark.parametrize("alpha", [1e-4, 1e-2])
@pytest.mark.parametrize(
    ("loss", "name"),
    [("hinge", name) for name in ("handful", "wide", "cancer")]
    + [("quantile", name) for name in ("handful", "diabetes", "skewed")],
)
def test_a_loss_with_kinks_ends_near_the_linear_programme(loss, name, alpha):
    X, y = tiny(name)
    model = estimator(loss, penalty="l1", alpha=alpha).fit(X, y)
    z = X @ model.coef_.ravel() + model.intercept_
    value = Loss.registry[loss]().value
    target, level = (2 * y - 1, np.zeros(1)) if loss == "hinge" else (y, np.median(y))
    reached = value(target, z).mean() + alpha * np.abs(model.coef_).sum()
    start = value(target, np.broadcast_to(level, z.shape)).mean()
    best = by_linear_programming(loss, X, y, alpha)
    assert reached - best < 1e-2 * (start - best)
    assert "progress" not in model.stop_reason_


@pytest.mark.parametrize("loss", ["quantile", "absolute_error"])
def test_targets_far_from_zero_without_an_intercept(loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)) + 1e5, rng.normal(size=300) + 1e6
    model = GDRegressor(loss, fit_intercept=False, random_state=0).fit(X, y)
    assert np.abs(y - model.predict(X)).mean() < 1e-3 * 1e6


@pytest.mark.parametrize("loss", ["quantile", "epsilon_insensitive"])
def test_a_constant_target_leaves_nothing_to_gain(loss):
    X = np.random.default_rng(0).normal(size=(10, 3))
    model = GDRegressor(loss, random_state=0).fit(X, np.ones(10))
    assert np.abs(model.predict(X) - 1.0).max() < (1e-6 if loss == "quantile" else 0.11)
    assert model.n_iter_ < 100


@pytest.mark.parametrize("change", ["alpha", "rows", "coefficients"])
def test_a_warm_start_does_not_trust_what_it_knew_of_another_problem(change):
    X, y = load_breast_cancer(return_X_y=True)
    half = slice(None, None, 2 if change == "rows" else 1)
    model = GDClassifier(warm_start=True, random_state=0).fit(X[half], y[half])
    if change == "alpha":
        model.set_params(alpha=1.0)
    if change == "coefficients":
        model.coef_ = model.coef_ + 1.0
    model.fit(X, y)
    cold = GDClassifier(alpha=model.alpha, random_state=0).fit(X, y)
    known = Reference("log_loss", "cancer", model.alpha, True)
    reached = known.objective(model.coef_, model.intercept_)
    assert reached < known.objective(cold.coef_, cold.intercept_) + 1e-3 * cold.loss_curve_[0]


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e7])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_columns_far_from_zero_are_no_constants(offset, unit):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(3000, 3))
    y = Z.sum(axis=1) + rng.normal(size=3000)
    model = GDRegressor(alpha=0.0, random_state=0).fit((Z + offset) * unit, y)
    exact = LinearRegression().fit(Z, y)
    np.testing.assert_allclose(model.coef_ * unit, exact.coef_, rtol=0.01)


@pytest.mark.parametrize("apart", [1e-3, 1e-5, 1e-6])
def test_columns_that_are_nearly_the_same_are_told_apart(apart):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(3000, 3))
    u = rng.normal(size=3000)
    X, y = np.column_stack([Z, Z[:, 0] + apart * u]), Z.sum(axis=1) + 3 * u + rng.normal(size=3000)
    model = GDRegressor(alpha=0.0, random_state=0).fit(X, y)
    exact = LinearRegression().fit(np.column_stack([Z, u]), y)
    best = 0.5 * np.mean((y - exact.predict(np.column_stack([Z, u]))) ** 2)
    reached = 0.5 * np.mean((y - model.predict(X)) ** 2)
    assert reached - best < 1e-3 * (0.5 * np.var(y) - best)


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0, 10.0])
def test_fewer_rows_than_columns_take_few_epochs(alpha):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 200)) * 10.0 ** rng.integers(-3, 4, 200), np.arange(50) % 2
    model = GDClassifier(alpha=alpha, random_state=0).fit(X, y)
    assert model.n_iter_ < 50
    assert model.suboptimality_bound_ <= 1e-3


def test_a_stream_of_raw_columns_is_learned():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = GDRegressor(random_state=0)
    for first in range(0, len(y), 40):
        model.partial_fit(X[first : first + 40], y[first : first + 40])
    assert model.score(X, y) > 0.3  # of 0.52 at the optimum


@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("seed", range(5))
def test_few_rows_on_the_straight_parts_of_a_loss(loss, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.random((8, 3)), np.arange(8) % 2.0
    model = estimator(loss).fit(X, y)
    assert model.loss_curve_[-1] <= model.loss_curve_[0]
