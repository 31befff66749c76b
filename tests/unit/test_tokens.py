"""Counting tokens by rule, against the real vocabulary, on prose that it was not made on."""

import pytest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from holysheep_helpers.catalog import tokens

KOREAN = {
    "letter": (
        "오랜만에 편지를 씁니다. 이사한 뒤로 정신이 없어서 연락을 드리지 못했습니다. 새 집은 "
        "언덕 위에 있어서 창문을 열면 바다가 보이고, 밤에는 등대 불빛이 벽을 스쳐 지나갑니다. "
        "다음 달에 시간이 나시면 꼭 놀러 오세요."
    ),
    "support": (
        "안녕하세요. 어제 주문한 노트북의 배송 상태가 며칠째 바뀌지 않습니다. 운송장을 확인해 "
        "보니 아직 물류 센터에 머물러 있다고 나옵니다. 언제쯤 받을 수 있는지, 그리고 늦어질 "
        "경우 환불이 가능한지 알려 주시기 바랍니다."
    ),
    "manual": (
        "설치가 끝나면 설정 파일에서 시간 제한과 재시도 횟수를 지정합니다. 값을 지정하지 "
        "않으면 기본값이 사용되며, 너무 짧은 시간 제한은 정상적인 요청까지 실패하게 만듭니다. "
        "변경한 내용은 서버를 다시 시작해야 적용됩니다."
    ),
    "story": (
        "소년은 하루 종일 강가에 앉아 종이배를 띄웠다. 바람이 불 때마다 배는 뒤집혔지만 그는 "
        "웃으며 다시 접었다. 해가 지자 어머니가 부르는 소리가 들렸고, 마지막 배는 아무도 "
        "모르는 곳으로 흘러갔다."
    ),
}
ENGLISH = {
    "letter": (
        "It has been a long time since I last wrote to you. The new house stands on a hill, "
        "and when the windows are open we can hear the sea. Come and visit us next month, if "
        "your work allows."
    ),
    "support": (
        "The laptop that I ordered on Monday has not moved since then. The tracking page "
        "still says that it is waiting in the sorting centre. Could you tell me when it will "
        "arrive, and whether a refund is possible if the delay goes on?"
    ),
    "manual": (
        "After the installation, open the settings file and choose a timeout and a number of "
        "retries. A timeout that is too short makes healthy requests fail, and a long one "
        "hides the problem. Restart the server afterwards, because the file is read only "
        "once."
    ),
    "story": (
        "All day the boy sat by the river and folded boats out of old newspapers. Whenever "
        "the wind overturned one of them he laughed and began again. When the sun went down, "
        "the last boat drifted away to a place that nobody knows."
    ),
}


@pytest.fixture(scope="module")
def tekken() -> MistralTokenizer:
    """Mistral's own vocabulary, which ``mistral-common`` brings along: nothing is downloaded."""
    return MistralTokenizer.v3(is_tekken=True)


@pytest.mark.parametrize("language", ["korean", "english"])
@pytest.mark.parametrize("kind", list(KOREAN))
def test_within_15_percent_of_the_real_vocabulary(
    tekken: MistralTokenizer, language: str, kind: str
) -> None:
    text = {"korean": KOREAN, "english": ENGLISH}[language][kind]
    real = len(tekken.instruct_tokenizer.tokenizer.encode(text, bos=False, eos=False))
    assert tokens.count(text) == pytest.approx(real, rel=0.15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n \t",
        "a",
        "안녕하세요!",
        "x" * 1000,
        "가" * 1000,
        "1234567890",
        "日本語 ไทย",
        "a\r\nb",
    ],
)
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text
    assert all(tokens.split(text))
    assert tokens.count(text) == len(tokens.split(text))


def test_a_prompt_counts_its_frames() -> None:
    one = tokens.count_messages(["hello"])
    assert one == tokens.count("hello") + tokens.MESSAGE_FRAME + tokens.REPLY_FRAME
    assert tokens.count_messages([""]) == tokens.MESSAGE_FRAME + tokens.REPLY_FRAME
    assert tokens.count_messages([]) == tokens.REPLY_FRAME
