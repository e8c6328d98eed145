// Totals and newest values by polling, everything new by WebSocket; both come back by themselves after an outage.
const element = (id) => document.getElementById(id);
const cell = (text) => Object.assign(document.createElement("td"), { textContent: text });

async function refresh() {
  try {
    const [stats, latest] = await Promise.all(
      ["stats", "readings/latest"].map((path) => fetch(`/api/${path}`).then((answer) => answer.json())));
    element("version").textContent = stats.version;
    element("stats").replaceChildren(...["readings", "events", "devices"].flatMap((key) => [
      Object.assign(document.createElement("dt"), { textContent: key }),
      Object.assign(document.createElement("dd"), { textContent: stats[key] })]));
    element("latest").replaceChildren(...latest.map((reading) => {
      const row = document.createElement("tr");
      row.append(cell(reading.device_id), cell(reading.metric), cell(reading.value));
      return row;
    }));
  } catch (error) {
    element("version").textContent = `not there (${error.message})`;
  }
  setTimeout(refresh, 3000);
}

function watch() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`);
  socket.onopen = () => { element("link").textContent = "live"; };
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    const text = news.kind === "reading" ? `${news.device_id} ${news.metric} ${news.value}` : `${news.type}: ${news.id}`;
    element("live").prepend(Object.assign(document.createElement("li"), { textContent: text }));
    while (element("live").children.length > 20) element("live").lastChild.remove();
  };
  socket.onclose = () => {
    element("link").textContent = "connecting";
    setTimeout(watch, 1000);
  };
}

refresh();
watch();
