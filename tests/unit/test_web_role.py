"""How the embedded role serves HTTP."""

from __future__ import annotations

import pytest

from platform_site.embedded.roles import web_config


@pytest.mark.parametrize("behind", [True, False])
def test_the_address_that_a_request_names_is_believed_behind_a_proxy_only(settings, behind):
    settings.BEHIND_PROXY = behind
    assert web_config().proxy_headers is behind
