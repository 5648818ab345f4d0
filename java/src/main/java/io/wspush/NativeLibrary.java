package io.wspush;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Finds libwspush.so: where a property says, in {@code java.library.path}, or in the jar. */
final class NativeLibrary {
    /** The property that names the library's file. */
    static final String FILE_PROPERTY = "io.wspush.library";

    private NativeLibrary() {}

    static void load() {
        String file = System.getProperty(FILE_PROPERTY);
        try {
            if (file != null) {
                System.load(Path.of(file).toAbsolutePath().toString());
            } else {
                System.loadLibrary("wspush");
            }
        } catch (UnsatisfiedLinkError problem) {
            // The JVM lets one class loader have a file, until it is collected. Another one gets a copy.
            if (String.valueOf(problem.getMessage()).contains("already loaded in another classloader")) {
                loadCopy(file == null ? inLibraryPath() : Path.of(file), problem);
            } else if (file != null) {
                throw problem;
            } else {
                unpack(problem);
            }
        }
    }

    /** The file that {@link System#loadLibrary} has found. */
    private static Path inLibraryPath() {
        String name = System.mapLibraryName("wspush");
        for (String directory : System.getProperty("java.library.path", "").split(File.pathSeparator)) {
            Path file = Path.of(directory.isEmpty() ? "." : directory, name);
            if (Files.isRegularFile(file)) {
                return file;
            }
        }
        return Path.of(name);
    }

    /** Where the library of this machine is in the jar. */
    private static String resource() {
        String machine = System.getProperty("os.arch");
        String name = machine.equals("amd64") ? "x86_64" : machine;
        return "native/" + System.getProperty("os.name").toLowerCase(java.util.Locale.ROOT) + "-" + name + "/libwspush.so";
    }

    private static void unpack(UnsatisfiedLinkError notInThePath) {
        try (InputStream in = NativeLibrary.class.getResourceAsStream(resource())) {
            if (in == null) {
                throw failed("no libwspush.so in java.library.path, and no " + resource() + " in the jar", notInThePath);
            }
            loadUnnamed(in);
        } catch (IOException problem) {
            throw failed("libwspush.so can't be unpacked into java.io.tmpdir: " + problem, notInThePath);
        }
    }

    private static void loadCopy(Path file, UnsatisfiedLinkError taken) {
        try (InputStream in = Files.newInputStream(file)) {
            loadUnnamed(in);
        } catch (IOException problem) {
            throw failed(
                    "another class loader of this JVM has loaded " + file + " already, and a copy for this one can't be"
                            + " made in java.io.tmpdir: " + problem + "; put wspush.jar where all of them find it (in a"
                            + " servlet container: its own lib folder)",
                    taken);
        }
    }

    /** Loads a library from a file of its own, which is gone afterwards. */
    private static void loadUnnamed(InputStream in) throws IOException {
        // The directory is this user's alone, so nobody can put another library in its place.
        Path directory = Files.createTempDirectory("wspush");
        Path library = directory.resolve("libwspush.so");
        try {
            Files.copy(in, library);
            System.load(library.toString());
        } finally {
            // Once loaded it needs no name any more.
            Files.deleteIfExists(library);
            Files.delete(directory);
        }
    }

    private static UnsatisfiedLinkError failed(String why, UnsatisfiedLinkError before) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError("wspush: " + why);
        error.addSuppressed(before);
        return error;
    }

    /** A library and classes of different versions don't understand each other. */
    static void checkVersion(String library) {
        try (InputStream in = NativeLibrary.class.getResourceAsStream("version")) {
            String classes = in == null ? library : new String(in.readAllBytes(), UTF_8).trim();
            if (!classes.equals(library)) {
                throw new UnsatisfiedLinkError(
                        "wspush: the classes are of version " + classes + ", libwspush.so of version " + library);
            }
        } catch (IOException problem) {
            throw new UnsatisfiedLinkError("wspush: the version can't be read: " + problem);
        }
    }
}
