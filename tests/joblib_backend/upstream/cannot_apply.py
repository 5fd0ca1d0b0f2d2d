"""Tests of joblib and scikit-learn that cannot pass with backend "cirrus", and why.

A name stands for itself and for all that goes on with a ``[``, ``-`` or ``]`` behind it: a test
with all of its parameters, or with those that begin so.
"""

_DEFAULT = (
    "default_n_jobs is -1, so that parallel_config('cirrus') without n_jobs runs in parallel; "
    "joblib's own backends have 1"
)
_CLASS = "asserts that the class of the backend is joblib's LokyBackend"
_LOKY_OPTION = "initializer and initargs are options of joblib's executors"
_MEMMAP = "asserts the type numpy.memmap: large arrays are plain ones on a memory map here"
_REGISTERED = (
    "names backend 'cirrus' in a worker that has not imported sklearn_cirrus: a task that names it "
    "has to import it"
)
_STATE = "reads objects of this process that its fits have changed; fails with loky as well"

CANNOT_APPLY = {
    # joblib.test.test_parallel
    "test_effective_n_jobs_None": _DEFAULT,
    "test_nested_backend_in_sequential": _DEFAULT,
    "test_nested_parallel_warnings[loky-multiprocessing": "joblib's warning about daemon processes",
    "test_nested_parallel_warnings[multiprocessing-loky": "joblib's warning about loky in daemons",
    "test_nested_parallel_warnings[threading-loky": "joblib's warning about loky in threads",
    "test_nested_loop[loky-cirrus]": _REGISTERED,
    "test_nested_loop[cirrus-cirrus]": _REGISTERED,
    "test_nested_loop[back_compat_backend-cirrus]": _REGISTERED,
    "test_error_capture[loky]": "asks for loky's executor",
    "test_dispatch_multiprocessing[loky]": (
        "sends the proxy of a multiprocessing.Manager, whose key only children of multiprocessing "
        "have"
    ),
    "test_backend_context_manager[parallel_config-loky": _CLASS,
    "test_backend_context_manager[parallel_backend-loky": _CLASS,
    "test_nested_parallelism_limit[parallel_config-loky": _CLASS,
    "test_nested_parallelism_limit[parallel_backend-loky": _CLASS,
    "test_auto_memmap_on_arrays_from_generator[loky]": _MEMMAP,
    "test_memmapping_leaks[loky]": _MEMMAP,
    **{
        f"test_multiple_generator_call_separated_gc[{first}-{second}-loky-True]": (
            "asserts that loky cannot serve a second call while a generator lives; we can"
        )
        for first in ("generator", "generator_unordered")
        for second in ("generator", "generator_unordered")
    },
    "test_threadpool_limitation_in_child_override[parallel_config": (
        "OMP_NUM_THREADS of this process is not handed on: inner_max_num_threads is"
    ),
    "test_initializer_context[parallel_config-loky": _LOKY_OPTION,
    "test_initializer_context[parallel_backend-loky": _LOKY_OPTION,
    "test_initializer_parallel[loky": _LOKY_OPTION,
    "test_initializer_reused": _LOKY_OPTION,
    "test_initializer_not_reused": _LOKY_OPTION,
    # sklearn.model_selection.tests
    "test_grid_search_cv_splits_consistency": (
        "its cv holds a generator, which no backend of processes can send; fails with loky as well"
    ),
    "test_searchcv_raise_warning_with_non_finite_score": _STATE,
    "test_multi_metric_search_forwards_metadata": _STATE,
    "test_search_callbacks_receive_search_instance": _STATE,
    "test_search_callbacks_with_partial_fit_failures": _STATE,
    "test_cross_val_score_score_func": _STATE,
    **{
        f"test_validation_functions_routing[{name}": _STATE
        for name in (
            "cross_validate",
            "cross_val_score",
            "cross_val_predict",
            "learning_curve",
            "validation_curve",
        )
    },
    "test_learning_curve_exploit_incremental_learning_routing": _STATE,
    "test_cv_results": _STATE,
    "test_base_estimator_inputs": _STATE,
    "test_passed_unrequested_metadata[cross_val_score": (
        "expects an exception that no pickle can carry; fails with loky as well"
    ),
}

MAY_FAIL = {
    "test_learning_curve_params": (
        "two tasks fail at the same time, and it expects the error of the one that began first"
    ),
    "test_cross_val_predict_decision_function_shape": (
        "all folds fail, each with another message, and it expects that of the first"
    ),
    "test_progress_during_fit_composition[meta_estimator0]": (
        "asserts, whenever a task ends, that no other one has only just begun; with two jobs it "
        "fails now and then with loky as well"
    ),
}
