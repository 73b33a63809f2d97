"""Goal: what the server says of itself is valid RFC 8414 and RFC 9728, and true.

Method: authlib's RFC 8414 validator as the judge of the form; the values against the constants
the checks use.
"""

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from backend.oauth.rules.metadata import resource_metadata, server_metadata

ORIGIN = "https://credit.example.cn"


def test_8414_the_metadata_is_valid_by_a_judge_that_is_not_ours() -> None:
    AuthorizationServerMetadata(server_metadata(ORIGIN)).validate()


def test_8414_the_profile_is_announced() -> None:
    metadata = server_metadata(ORIGIN)
    assert metadata["issuer"] == ORIGIN
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for name, value in metadata.items():
        if name.endswith("_signing_alg_values_supported"):
            assert value == ["ES256", "PS256", "Ed25519"]
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert value.startswith(ORIGIN + "/oauth/")


def test_9728_the_resource_names_its_authorization_server() -> None:
    metadata = resource_metadata(ORIGIN)
    assert metadata["resource"] == ORIGIN
    assert metadata["authorization_servers"] == [ORIGIN]
    assert metadata["dpop_bound_access_tokens_required"] is True
    assert metadata["bearer_methods_supported"] == ["header"]
