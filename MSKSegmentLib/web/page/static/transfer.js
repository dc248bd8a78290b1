// Uploads: chosen or dropped files go to the server as they are; progress and problems come back through the page's state.
(function () {
  "use strict";
  let busy = false;

  async function upload(file) {
    if (!file || busy) return;
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

  window.mskseg = Object.assign(window.mskseg || {}, { upload });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    upload(event.dataTransfer && event.dataTransfer.files[0]);
  });
})();
