// Lets the search of the site work from a folder, without a server: browsers start no worker from a file, so a hidden frame does its work.
// Only the part of Worker that the theme's search asks for: messages in both directions.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      this.opened = new Promise((resolve) => {
        const start = () => {
          frame.onload = null;
          const inside = frame.contentWindow;
          inside.importScripts = () => {};
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          const script = frame.contentDocument.createElement("script");
          script.src = url;
          script.onload = () => resolve(inside);
          frame.contentDocument.head.append(script);
        };
        const append = () => (document.body.append(frame), start());
        document.body ? append() : addEventListener("DOMContentLoaded", append);
      });
    }

    postMessage(data) {
      this.opened.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
    }
  };
}
