// Uploads: chosen or dropped files go to the server as they are. Documents: made by the server first, then downloaded.
// Progress and problems of both come back through the page's state.
(function () {
  "use strict";
  let busy = false;
  let last = Promise.resolve();

  function upload(file) {
    // A refused file is told on the page before its request has ended: the next one waits for that, and is not lost. While a file
    // really arrives, the page takes no other.
    if (!file || (busy && document.querySelector("#upload-file:disabled"))) return;
    last = last.then(() => send(file));
  }

  async function send(file) {
    busy = true;
    try {
      await fetch("upload", {
        method: "POST",
        headers: { "X-File-Name": encodeURIComponent(file.name) },
        body: file,
      });
    } catch (error) {
      // The server ends the connection when it refuses a file; the page already shows why.
    } finally {
      busy = false;
    }
  }

  async function make(name) {
    try {
      const reply = await fetch("make/" + name, { method: "POST" });
      const answer = await reply.json();
      if (!answer.ok) return;
      const link = document.createElement("a");
      link.href = "made/" + answer.key;
      link.download = "";
      document.body.append(link);
      link.click();
      link.remove();
    } catch (error) {
      // The server has ended; connection.js says so.
    }
  }

  window.mskseg = Object.assign(window.mskseg || {}, { upload, make });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    upload(event.dataTransfer && event.dataTransfer.files[0]);
  });
})();
