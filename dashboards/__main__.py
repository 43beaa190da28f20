"""Write every dashboard into dashboards/json."""

from dashboards.written import FOLDER, texts

for name, text in texts().items():
    (FOLDER / name).write_text(text)
