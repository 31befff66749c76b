"""Texts to count, to split and to ask about."""

from __future__ import annotations

from typing import Any

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


TEXT = "\n\n".join(f"Message {n}: the parcel came {n % 9} days late." for n in range(200))


DO = "How many parcels came late?"


SMALL: dict[str, Any] = {"part_tokens": 500, "max_tokens": 60}
