"""Which tests hold what once went wrong, by the symptom that a user saw.

A row that names no test any more fails here: its symptom would be free to come back.
"""

import ast

import pytest

from tests.architecture.source import sources

ENVIRON = "orchestrator/backends/process/test_environ.py"
DIRECTORY = "orchestrator/backends/process/test_directory.py"
LINES, SURVIVAL = "inference/test_lines.py", "inference/test_survival.py"
ANSWER = "sre_autopilot/llm/test_answer.py"
START = "server/test_start.py"
GYM = "sre_autopilot/simulator/gym"
ENGINE = "sre_autopilot/simulator/numba_engine/test_engine.py"
LENIENT = "server/test_lenient.py"

SYMPTOMS = {
    "no trace edges, since the host switches OpenTelemetry's SDK or sampler": [
        f"{ENVIRON}::test_variables_that_change_a_mesh_are_left_out"
    ],
    "no mesh or no linked spans, since the host names other propagators": [
        f"{ENVIRON}::test_variables_that_change_a_mesh_are_left_out"
    ],
    "the folder of a living mesh removed from another pid namespace": [
        f"{DIRECTORY}::test_a_pid_says_nothing_of_an_owner",
        f"{DIRECTORY}::test_a_folder_removed_from_outside_is_reported",
    ],
    "no server under WEB_CONCURRENCY": [
        f"{START}::test_the_server_is_one_process_and_waits_for_an_agent_that_thinks"
    ],
    "404 for half of the steps under two workers of uvicorn": [
        f"{START}::test_several_workers_of_uvicorn_are_refused",
        f"{START}::test_a_worker_that_is_not_alone_ends_uvicorn",
    ],
    "a standard MCP client cannot connect": [
        "server/test_mcp_http.py::test_a_client_lists_the_tools_and_plays_an_episode",
        "server/test_mcp_http.py::test_the_client_of_the_mcp_package_plays_too",
    ],
    "an agent that thinks for a minute loses its episode to a missed ping": [
        f"{START}::test_the_server_is_one_process_and_waits_for_an_agent_that_thinks",
        "server/test_sockets.py::test_a_socket_that_thinks_keeps_its_session",
        "server/test_uvicorn_options.py::test_uvicorn_is_told_which_limits_it_lacks",
    ],
    "a traceback of inference.py under ALL_PROXY=socks...": [
        f"{LINES}::test_servers_on_this_machine_are_called_whatever_the_proxies_are",
        f"{LINES}::test_a_proxy_that_cannot_be_used_is_said_without_a_traceback",
    ],
    "a server on this machine asked for at HTTP_PROXY": [
        f"{LINES}::test_servers_on_this_machine_are_called_whatever_the_proxies_are",
        "sre_autopilot/cli/test_demo.py"
        "::test_the_demo_plays_over_http_and_prints_a_summary_of_each_tier",
    ],
    "a traceback of inference.py where SSL_CERT_FILE names nothing": [
        f"{LINES}::test_servers_on_this_machine_are_called_whatever_the_proxies_are"
    ],
    "a thought before </think> taken for the answer": [
        f"{ANSWER}::test_the_first_object_counts_whatever_is_around_it"
    ],
    "an answer in a list of parts not read, or its thoughts taken for it": [
        f"{ANSWER}::test_the_parts_of_type_text_are_the_answer",
        f"{SURVIVAL}::test_an_answer_in_parts_is_read",
    ],
    "an answer refused for one key too many, or for the service of a wait": [
        f"{ANSWER}::test_the_first_object_counts_whatever_is_around_it",
        f"{ANSWER}::test_waiting_is_on_no_service",
    ],
    "KeyError for status 200 with an error in it": [
        f"{SURVIVAL}::test_an_error_inside_an_answer_waits_as_its_code_says",
        f"{SURVIVAL}::test_the_message_of_an_error_inside_an_answer_is_shown",
    ],
    "a secret that ends in a new line never matches": [
        f"{LINES}::test_servers_on_this_machine_are_called_whatever_the_proxies_are",
        "orchestrator/test_settings.py::test_value_that_cannot_be_used_names_its_variable",
        "server/test_secrets.py::test_the_truth_is_for_those_who_have_the_token",
    ],
    "a vector plays other episodes than its seeds name": [
        f"{GYM}/test_for_trainers.py::test_seeds_may_be_numpy_s",
        f"{GYM}/test_gymnasium.py::test_a_bad_seed_is_refused",
        f"{GYM}/test_gymnasium.py::test_seed_none_among_others_is_drawn_by_the_environment",
    ],
    "an action out of its space begins the next episode": [
        f"{GYM}/test_gymnasium.py::test_an_action_out_of_range_is_refused",
        f"{GYM}/test_gymnasium.py::test_actions_of_another_shape_or_kind_are_refused",
        f"{ENGINE}::test_an_action_out_of_range_is_refused_and_changes_nothing",
    ],
    "no compiled engine beside a cache folder of somebody else's": [
        f"{ENGINE}::test_without_a_home_or_a_folder_that_can_be_written_it_is_not_kept"
    ],
    "no compiled engine, or no doctor, for a user without a home": [
        f"{ENGINE}::test_without_a_home_or_a_folder_that_can_be_written_it_is_not_kept",
        "sre_autopilot/cli/test_doctor.py"
        "::test_user_without_a_home_is_told_where_compiled_code_can_be_kept",
    ],
    "500 of a control port on a kernel without smaps_rollup": [
        "services/test_memory.py::test_without_the_sum_of_the_kernel_the_parts_are_added",
        "services/test_memory.py::test_a_kernel_without_the_value_is_an_error",
    ],
    "scripts of a checkout with CRLF do not run": [
        "architecture/test_repository.py"
        "::test_a_checkout_has_unix_line_ends_whatever_the_host_s_git_does"
    ],
    "405 for HEAD": ["server/test_http_middleware.py::test_head_is_get_without_a_body"],
    "a redirect to http:// behind TLS": [
        "server/test_http_middleware.py::test_a_redirect_names_no_scheme"
    ],
    "a session left behind by inference.py | head": [
        f"{SURVIVAL}::test_a_reader_that_has_gone_leaves_no_session"
    ],
    "a slow model called unreachable, also in the next tier": [
        f"{SURVIVAL}::test_a_model_that_is_slower_than_the_time_left_is_not_unreachable",
        f"{SURVIVAL}::test_a_model_that_was_gone_is_asked_again_in_the_next_tier",
        f"{LINES}::test_an_answer_may_take_as_long_as_is_set",
    ],
    "a small model that cannot keep to JSON by itself": [
        f"{SURVIVAL}::test_an_endpoint_that_knows_no_schema_is_asked_for_what_it_knows",
        f"{SURVIVAL}::test_a_model_that_breaks_the_format_is_asked_for_a_repair",
    ],
    "a rollout ended by an action that cannot be read": [
        f"{LENIENT}::test_a_bad_action_costs_its_step_and_says_why",
        f"{LENIENT}::test_a_strict_session_refuses_it_with_the_valid_values",
    ],
    "a client that takes nine seconds to import": [
        "sre_autopilot/test_public_names.py"
        "::test_client_is_imported_without_a_server_and_without_numpy",
        "sre_autopilot/test_openenv_client.py::test_client_works_without_the_whole_package",
    ],
    "answers that OpenAPI does not declare": [
        f"{LENIENT}::test_the_schema_of_requests_has_the_rules_that_are_checked",
        "server/test_bad_input.py::test_a_wrong_query_is_refused",
        "server/test_schema_fuzz.py::test_answers_are_as_the_document_declares",
        "server/test_openapi_document.py::test_bounds_of_whole_numbers_are_whole",
        "orchestrator/test_settings.py::test_value_that_cannot_be_used_names_its_variable",
    ],
    "a server held up, or another folder emptied, by a stranger's files in /tmp": [
        f"{DIRECTORY}::test_a_pipe_as_a_lock_holds_nobody_up",
        f"{DIRECTORY}::test_a_link_as_a_lock_is_not_followed",
        f"{DIRECTORY}::test_a_folder_of_another_user_stays",
        f"{DIRECTORY}::test_a_link_that_takes_the_place_of_a_folder_meanwhile_is_not_followed",
    ],
    "the cause of a flap read off the answers of a data port": [
        "orchestrator/backends/process/test_real_mesh.py"
        "::test_no_port_of_the_mesh_answers_without_its_token"
    ],
}


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_symptom_is_held_by_tests_that_exist(symptom: str) -> None:
    functions = {
        f"{source.path.removeprefix('tests/')}::{node.name}"
        for source in sources()
        if source.path.startswith("tests/")
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert SYMPTOMS[symptom] and set(SYMPTOMS[symptom]) <= functions
