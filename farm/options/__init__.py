"""Every option of load_and_run.

One catalogue, and what is derived from it. The only place that knows the flags.
"""

from farm.options.catalogue import CATALOGUE
from farm.options.check import Findings, advice, applicable, check, interface_of, unknown_to
from farm.options.command import Output, argv, input_files, outputs
from farm.options.cores import resolve_cores
from farm.options.lookup import find, misspelling_note, option, search
from farm.options.parse import from_mapping, merge, parse, parse_with_notes, without, words
from farm.options.preparations import MODEL as MODEL_FEED
from farm.options.preparations import preparations, recipe
from farm.options.rounds import CHECK_RUNS, OUTPUT_DUMP, TENSOR_DUMP, check_round, split_rounds, tensor_round
from farm.options.row import Group, Kind, Needs, Option, Support, Works
from farm.options.schema import schema
from farm.options.variants import product, slug, sweep, unique, variant, variant_name

__all__ = [
    "CATALOGUE",
    "CHECK_RUNS",
    "MODEL_FEED",
    "OUTPUT_DUMP",
    "TENSOR_DUMP",
    "Findings",
    "Group",
    "Kind",
    "Needs",
    "Option",
    "Output",
    "Support",
    "Works",
    "advice",
    "applicable",
    "argv",
    "check",
    "check_round",
    "find",
    "from_mapping",
    "input_files",
    "interface_of",
    "merge",
    "misspelling_note",
    "option",
    "outputs",
    "parse",
    "parse_with_notes",
    "preparations",
    "product",
    "recipe",
    "resolve_cores",
    "schema",
    "search",
    "slug",
    "split_rounds",
    "sweep",
    "tensor_round",
    "unique",
    "unknown_to",
    "variant",
    "variant_name",
    "without",
    "words",
]
