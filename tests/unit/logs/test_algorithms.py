from farm.logs.algorithms import MAX_ALGORITHMS, algorithms
from farm.model.operators import signature

LINE = (
    "[26 10:44:14 setup_algo@algo_chooser.cpp:87][DEBUG] MatrixMul{}: tensor layouts({{1(16),16(1) Float32}} , "
    "{{10(16),16(1) Float32}} ) -> ({{1(10),10(1) Float32}} )): algo=X86_F32_BLAS workspace=0.00MiB attribute=9"
)
SHAPES = (((1, 16), (10, 16)), ((1, 10),))


def test_the_algorithm_is_known_by_type_and_shapes_or_by_name(transcripts):
    assert algorithms([LINE.format("")]) == {signature("MatrixMul", *SHAPES): "X86_F32_BLAS"}
    assert algorithms([LINE.format("(classify.MatrixMul)")]) == {"classify.MatrixMul": "X86_F32_BLAS"}
    real = algorithms(transcripts["lite_verbose"]["stderr"].splitlines())
    assert real[signature("MatrixMul", *SHAPES)] == "X86_F32_BLAS"


def test_lines_that_are_cut_or_of_something_else_are_left_out():
    line = LINE.format("")
    assert algorithms([line[:at] for at in range(len(line) - len(" workspace=0.00MiB attribute=9"))]) == {}
    assert algorithms([line + "x" * 5000, "algo=", "x: tensor layouts(algo="]) == {}


def test_there_are_not_more_than_the_limit():
    lines = [LINE.format(f"(operator {number})") for number in range(MAX_ALGORITHMS + 5)]
    assert len(algorithms(lines)) == MAX_ALGORITHMS
