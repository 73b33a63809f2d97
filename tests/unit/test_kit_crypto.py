"""Goal: what is sealed opens only with its key and in its place; digests don't mix.

Method: both crypto profiles, and tampering with every part of a sealed value.
"""

from uuid import UUID, uuid4

import pytest

from backend.kit.crypto import PROFILES, SealBroken, Vault

KEYS = {"kek": bytes(32), "digest_key": bytes(range(32))}


@pytest.fixture(params=sorted(PROFILES))
def vault(request: pytest.FixtureRequest) -> Vault:
    return Vault(**KEYS, profile=request.param)


def test_what_is_sealed_opens_in_its_own_place_only(vault: Vault) -> None:
    key = vault.new_data_key()
    sealed = vault.seal(key, "林晓".encode(), aad="account|name|1")
    assert vault.unseal(key, sealed, aad="account|name|1").decode() == "林晓"
    with pytest.raises(SealBroken):
        vault.unseal(key, sealed, aad="account|name|2")


def test_destroying_the_data_key_closes_what_it_sealed_for_ever(vault: Vault) -> None:
    sealed = vault.seal(vault.new_data_key(), b"x", aad="t|c|r")
    with pytest.raises(SealBroken):
        vault.unseal(vault.new_data_key(), sealed, aad="t|c|r")


def test_another_operators_key_opens_nothing(vault: Vault) -> None:
    key = vault.new_data_key()
    sealed = vault.seal(key, b"x", aad="t|c|r")
    other = Vault(kek=bytes([1]) * 32, digest_key=bytes(32))
    with pytest.raises(SealBroken):
        other.unseal(key, sealed, aad="t|c|r")


def test_any_changed_byte_breaks_the_seal(vault: Vault) -> None:
    sealed = vault.seal_service(b"private key", aad="signing_key|private|k1")
    assert vault.unseal_service(sealed, aad="signing_key|private|k1") == b"private key"
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(SealBroken):
            vault.unseal_service(bytes(broken), aad="signing_key|private|k1")
    for short in (b"", sealed[:10], sealed[:20]):
        with pytest.raises(SealBroken):
            vault.unseal_service(short, aad="signing_key|private|k1")


def test_what_is_carried_by_strangers_has_a_key_of_its_own(vault: Vault) -> None:
    carried = vault.seal_carried(b"x", aad="a")
    assert vault.unseal_carried(carried, aad="a") == b"x"
    for broken, aad in ((carried, "b"), (carried[:-1], "a"), (b"", "a")):
        with pytest.raises(SealBroken):
            vault.unseal_carried(broken, aad=aad)
    with pytest.raises(SealBroken):
        vault.unseal_service(carried, aad="a")
    with pytest.raises(SealBroken):
        vault.unseal_carried(vault.seal_service(b"x", aad="a"), aad="a")


def test_two_seals_of_one_value_differ(vault: Vault) -> None:
    key = vault.new_data_key()
    assert vault.seal(key, b"x", aad="a") != vault.seal(key, b"x", aad="a")


def test_digests_of_different_purposes_never_match(vault: Vault) -> None:
    assert vault.digest("phone", "1") == vault.digest("phone", "1")
    assert vault.digest("phone", "1") != vault.digest("name", "1")
    assert vault.digest("ab", "c") != vault.digest("a", "bc")
    assert len(vault.digest("phone", "1")) == 32


def test_a_subject_keeps_one_id_and_partners_see_different_ones(vault: Vault) -> None:
    subject = vault.subject_id("110101199003074516")
    assert subject == vault.subject_id("110101199003074516")
    assert (subject.version, subject.variant) == (8, UUID(int=2 << 62).variant)
    first, second = uuid4(), uuid4()
    assert vault.pairwise(subject, first) == vault.pairwise(subject, first)
    assert vault.pairwise(subject, first) != vault.pairwise(subject, second)
