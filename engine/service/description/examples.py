"""What a client might see: one job, from its row to its links."""

from engine.journal.line import Record
from engine.service.description.schemas import PROCESS_ID

__all__ = ["BALANCE", "LINKS", "NOTICE", "QUESTION", "ROW"]

_FILE = f"https://faces.example/files/outputs/{PROCESS_ID}?expires=1767229200&key=&signature="
_INPUT = _FILE.replace("outputs", "inputs")

ROW: Record = {
    "process_id": PROCESS_ID,
    "source_id": "2b0d3d1e-96f2-4f1d-8a55-6d1b1f1f7c20",
    "filename": "portrait.jpg",
    "input_format": "jpeg",
    "input_height": 1200,
    "input_width": 900,
    "output_format": "png",
    "output_height": 1200,
    "output_width": 900,
    "category": "Restore",
    "model_type": "GAN",
    "model": "Faces",
    "crop_to_fill": False,
    "options_json": '{"strength":0.8,"output_format":"png"}',
    "status": "Completed",
    "progress": 100,
    "eta": 1767225600.5,
    "creation_time": 1767225594.1,
    "modification_time": 1767225600.5,
    "credits": 1,
    "faces": 2,
    "warnings": [],
    "output_sha256": "9b2cf5" + "0" * 58,
    "output_bytes": 1843201,
}
LINKS: Record = {"download_url": _FILE + "5f0c", "head_url": _FILE + "a17e", "expiry": 1767229200}
QUESTION: Record = {
    "category": "Restore",
    "model": "Faces",
    "input_width": 4000,
    "input_height": 3000,
    "output_width": 8000,
    "output_format": "jpeg",
}
BALANCE: Record = {"available_credits": 480, "reserved_credits": 20, "total_credits": 500}
NOTICE: Record = {
    "notification_id": "01JGFJ7Z8Q4N5V0C3W2R9T6K1M",
    **{name: ROW[name] for name in ("process_id", "status", "creation_time", "modification_time", "progress")},
    "download_url": _FILE + "5f0c",
    "head_url": _FILE + "a17e",
    "input_download_url": _INPUT + "77d0",
    "input_head_url": _INPUT + "c3b9",
}
