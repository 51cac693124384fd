"""The estimators inside scikit-learn's tools: what each tool makes of them is known by hand."""

import copy
import io
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import DivergenceError, GDClassifier, GDRegressor
from skgd.optimizers import SGD, Adam, Optimizer

ESTIMATORS = pytest.mark.parametrize("estimator", [GDClassifier, GDRegressor])
CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sp.csr_array])


def data(estimator=GDClassifier, n=120, n_classes=3):
    if estimator is GDRegressor:
        return make_regression(n, 6, noise=5.0, random_state=0)
    return make_classification(
        n, 6, n_informative=4, n_classes=n_classes, class_sep=2.0, random_state=0
    )


def assert_same_model(a, b):
    np.testing.assert_array_equal(a.coef_, b.coef_)
    np.testing.assert_array_equal(a.intercept_, b.intercept_)


# ---- searches ----


def test_a_rate_that_diverges_is_scored_nan_and_the_search_goes_on():
    X, y = data(GDRegressor)
    model = GDRegressor(batch_size="full", max_iter=300, tol=1e-2)
    rates = [1e3, 0.1, 1e9]
    search = GridSearchCV(model, {"learning_rate": rates}, cv=3, n_jobs=2, error_score=np.nan)
    with (
        pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 9"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(np.isnan(scores), [True, False, True])
    assert search.best_params_ == {"learning_rate": 0.1}
    assert search.best_score_ > 0.9


def test_divergence_crosses_processes_with_its_attributes():
    X, y = data(GDRegressor)
    model = GDRegressor(batch_size="full", max_iter=300)
    search = GridSearchCV(model, {"learning_rate": [1e3]}, cv=2, n_jobs=2, error_score="raise")
    with pytest.raises(DivergenceError) as caught:
        search.fit(X, y)
    assert caught.value.learning_rate == 1e3
    assert 0 < caught.value.stable_learning_rate < 1e3


def test_a_search_sets_what_its_keys_name():
    X, y = data()
    model = GDClassifier(optimizer=SGD(), learning_rate=0.05, max_iter=5, tol=None, random_state=0)
    grid = {"optimizer__momentum": [0.0, 0.9], "penalty": ["l1", "l2"], "batch_size": [1, "full"]}
    cv = KFold(3)
    search = GridSearchCV(model, grid, cv=cv).fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
        mine = GDClassifier(
            optimizer=SGD(momentum=params["optimizer__momentum"]), learning_rate=0.05, max_iter=5,
            tol=None, random_state=0, penalty=params["penalty"], batch_size=params["batch_size"],
        )  # fmt: skip
        assert score == cross_val_score(mine, X, y, cv=cv).mean()
    assert model.optimizer.momentum == 0.0
    assert search.best_estimator_.optimizer_.momentum == search.best_params_["optimizer__momentum"]


def test_halving_gives_epochs_to_the_better_rates():
    X, y = data()
    model = GDClassifier(batch_size="full", tol=None)
    search = HalvingGridSearchCV(
        model, {"learning_rate": [1e-6, 1e-5, 1e-4, 0.3]}, resource="max_iter", factor=2,
        min_resources=4, max_resources=16, cv=3,
    ).fit(X, y)  # fmt: skip
    assert search.n_resources_ == [4, 8, 16]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_params_ == {"learning_rate": 0.3, "max_iter": 16}
    assert search.best_estimator_.n_iter_ == 16


@ESTIMATORS
def test_cross_validation_is_fit_and_score_on_each_fold(estimator):
    X, y = data(estimator)
    cv = KFold(4)
    expected = [
        estimator().fit(X[train], y[train]).score(X[test], y[test]) for train, test in cv.split(X)
    ]
    np.testing.assert_array_equal(cross_val_score(estimator(), X, y, cv=cv), expected)


def test_a_learning_curve_ends_where_cross_validation_is():
    X, y = data()
    cv = KFold(3, shuffle=True, random_state=0)
    sizes, train, test = learning_curve(GDClassifier(), X, y, cv=cv, train_sizes=[0.5, 1.0])
    whole = cross_validate(GDClassifier(), X, y, cv=cv, return_train_score=True)
    np.testing.assert_array_equal(sizes, [40, 80])
    np.testing.assert_array_equal(train[-1], whole["train_score"])
    np.testing.assert_array_equal(test[-1], whole["test_score"])


# ---- meta-estimators ----


def test_a_pipeline_is_its_steps():
    X, y = data()
    pipe = make_pipeline(StandardScaler(), GDClassifier()).fit(X, y)
    Z = StandardScaler().fit_transform(X)
    by_hand = GDClassifier().fit(Z, y)
    assert_same_model(pipe[-1], by_hand)
    np.testing.assert_array_equal(pipe.predict_proba(X), by_hand.predict_proba(Z))
    assert pipe.score(X, y) == by_hand.score(Z, y)


def test_calibration_makes_probabilities_of_a_hinge():
    X, y = data(n_classes=2)
    model = CalibratedClassifierCV(GDClassifier("hinge"), cv=3).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    assert brier_score_loss(y, proba[:, 1]) < 0.15
    assert not hasattr(GDClassifier("hinge"), "predict_proba")


def test_selection_keeps_the_features_that_l1_left():
    X, y = data()
    X = np.hstack([X, np.random.default_rng(0).normal(size=(len(X), 10))])
    chosen = SelectFromModel(GDClassifier(penalty="l1", alpha=0.05)).fit(X, y)
    coef = chosen.estimator_.coef_
    np.testing.assert_array_equal(chosen.get_support(), (coef != 0).any(axis=0))
    assert 0 < chosen.get_support().sum() < X.shape[1]


def test_several_outputs_are_several_fits():
    X, y = data()
    Y = np.column_stack([y, y == 1, y > 0])
    model = MultiOutputClassifier(GDClassifier()).fit(X, Y)
    for k, single in enumerate(model.estimators_):
        assert_same_model(single, GDClassifier().fit(X, Y[:, k]))
    assert model.predict(X).shape == Y.shape


def test_one_versus_rest_is_what_the_columns_of_a_hinge_are():
    X, y = data()
    model = GDClassifier("hinge", learning_rate=0.1, batch_size="full", max_iter=50, tol=None)
    wrapped = OneVsRestClassifier(model).fit(X, y)
    joint = clone(model).fit(X, y)
    np.testing.assert_allclose(
        np.vstack([e.coef_ for e in wrapped.estimators_]), joint.coef_, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_array_equal(wrapped.predict(X), joint.predict(X))


def test_bagging_without_a_bootstrap_is_the_model_itself():
    X, y = data()
    model = GDClassifier()
    bag = BaggingClassifier(model, n_estimators=3, bootstrap=False, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        bag.predict_proba(X), clone(model).fit(X, y).predict_proba(X), rtol=1e-9
    )
    drawn = BaggingClassifier(model, n_estimators=3, random_state=0).fit(X, y)
    assert len({tuple(e.coef_.ravel()) for e in drawn.estimators_}) == 3
    assert drawn.score(X, y) > 0.6


def test_stacking_learns_from_the_scores_of_its_members():
    X, y = data()
    members = [("softmax", GDClassifier()), ("least squares", GDClassifier("squared_error"))]
    model = StackingClassifier(members, final_estimator=GDClassifier(), cv=3).fit(X, y)
    assert model.transform(X).shape == (len(X), 6)
    assert model.final_estimator_.n_features_in_ == 6
    assert_same_model(model.estimators_[0], GDClassifier().fit(X, y))
    assert model.score(X, y) >= GDClassifier().fit(X, y).score(X, y) - 0.05


# ---- data frames and routing ----


@ESTIMATORS
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_data_frame_is_its_values_and_its_names(estimator, frame):
    X, y = data(estimator)
    names = [f"column {k}" for k in range(X.shape[1])]
    table = frame({name: X[:, k] for k, name in enumerate(names)})
    model = estimator().fit(table, y)
    assert_same_model(model, estimator().fit(X, y))
    np.testing.assert_array_equal(model.feature_names_in_, names)
    np.testing.assert_array_equal(model.predict(table), model.predict(table[names]))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[names[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(table[names[::-1]], y)


def test_names_go_through_set_output():
    X, y = data()
    table = pd.DataFrame(X, columns=list("abcdef"))
    pipe = make_pipeline(StandardScaler(), GDClassifier()).set_output(transform="pandas")
    np.testing.assert_array_equal(pipe.fit(table, y)[-1].feature_names_in_, table.columns)
    chosen = SelectFromModel(GDClassifier(penalty="l1", alpha=0.1)).set_output(transform="pandas")
    out = chosen.fit_transform(table, y)
    np.testing.assert_array_equal(out.columns, table.columns[chosen.get_support()])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_pipeline_transforms_the_validation_rows(early_stopping):
    X, y = data()
    train, held = slice(0, 80), slice(80, None)
    model = GDClassifier(
        learning_rate=0.1, batch_size="full", max_iter=30, tol=None, early_stopping=early_stopping
    )
    with config_context(enable_metadata_routing=True):
        routed = clone(model).set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("scale", StandardScaler()), ("model", routed)], transform_input=["X_val"])
        pipe.fit(X[train], y[train], X_val=1e3 * X[held], y_val=y[held])
    scaler = StandardScaler().fit(X[train])
    model.fit(
        scaler.transform(X[train]), y[train],
        X_val=scaler.transform(1e3 * X[held]), y_val=y[held],
    )  # fmt: skip
    np.testing.assert_array_equal(pipe[-1].validation_scores_, model.validation_scores_)
    assert_same_model(pipe[-1], model)


def test_weights_are_routed_through_a_search():
    X, y = data()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    with config_context(enable_metadata_routing=True):
        model = GDClassifier().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [1e-4, 1e-1]}, cv=KFold(3))
        search.fit(X, y, sample_weight=weight)
    best = GDClassifier(alpha=search.best_params_["alpha"]).fit(X, y, sample_weight=weight)
    assert_same_model(search.best_estimator_, best)


@ESTIMATORS
def test_fit_parameters_reach_a_step_by_its_name(estimator):
    X, y = data(estimator)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    pipe = Pipeline([("clf", estimator())]).fit(X, y, clf__sample_weight=weight)
    assert_same_model(pipe[-1], estimator().fit(X, y, sample_weight=weight))
    assert not np.array_equal(pipe[-1].coef_, estimator().fit(X, y).coef_)


# ---- copies ----


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("optimizer", Optimizer.registry)
@ESTIMATORS
def test_a_copy_predicts_and_goes_on_bit_for_bit(estimator, optimizer, how):
    X, y = data(estimator)
    model = estimator(
        optimizer=optimizer, learning_rate=1e-3, batch_size=16, max_iter=3, tol=None, average=5,
        warm_start=True, random_state=0,
    ).fit(X, y)  # fmt: skip
    twin = COPIES[how](model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert_same_model(twin.partial_fit(X, y), model.partial_fit(X, y))
    assert_same_model(twin.fit(X, y), model.fit(X, y))
    assert twin.t_ == model.t_ == 7 * 8


@ESTIMATORS
def test_a_clone_has_the_settings_and_nothing_of_the_fit(estimator):
    X, y = data(estimator)
    model = estimator(optimizer=Adam(beta_1=0.8), learning_rate=0.01, random_state=3).fit(X, y)
    twin = clone(model)
    assert twin.optimizer is not model.optimizer
    assert repr(twin.get_params()) == repr(model.get_params())
    assert [name for name in vars(twin) if name.endswith("_") or name.startswith("_")] == []
    assert_same_model(twin.fit(X, y), model)


# ---- threads ----


@CONTAINERS
@ESTIMATORS
def test_fits_in_threads_are_the_fits_alone(estimator, container):
    X, y = data(estimator, n=600)
    X = container(X)
    models = [
        estimator(learning_rate=1e-3, batch_size=size, max_iter=20, tol=None, n_jobs=n_jobs,
                  optimizer=optimizer, penalty=penalty, random_state=0)
        for size in (1, 16, "full") for n_jobs in (1, 2)
        for optimizer, penalty in (("sgd", "l1"), ("adam", "l2"))
    ]  # fmt: skip
    alone = [clone(model).fit(X, y) for model in models]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda model: model.fit(X, y), models))
    for a, b in zip(together, alone):
        assert_same_model(a, b)
        np.testing.assert_array_equal(a.loss_curve_, b.loss_curve_)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_after_a_fit_in_threads_fits_in_threads():
    code = """
import os, numpy as np
from skgd import GDClassifier
X = np.random.default_rng(0).normal(size=(30_000, 40))
y = X[:, 0] > 0
here = GDClassifier(n_jobs=2).fit(X, y).coef_
child = os.fork()
if child == 0:
    there = GDClassifier(n_jobs=2).fit(X, y).coef_
    os._exit(0 if np.array_equal(here, there) else 1)
raise SystemExit(os.waitpid(child, 0)[1])
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120)
    assert ran.returncode == 0


def test_one_fitted_model_predicts_in_threads():
    X, y = data()
    model = GDClassifier().fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        for proba in pool.map(model.predict_proba, [X] * 20):
            np.testing.assert_array_equal(proba, expected)
